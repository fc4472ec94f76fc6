/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan: all decisions about a machine, nothing left open.  viommu_plan_build() runs the steps in
 * order. */
#pragma once

#include <glib.h>
#include "lib/policy/asker.h"
#include "lib/request/file-handover.h"
#include "lib/host/host.h"
#include "lib/plan/iommu.h"
#include "lib/plan/pcie.h"
#include "lib/policy/policy.h"
#include "lib/request/request.h"

/* How the guest's CPU is described to libvirt. */
typedef enum ViommuCpuMode {
    VIOMMU_CPU_MODE_HOST_PASSTHROUGH,
    VIOMMU_CPU_MODE_MAXIMUM, /* libvirt 7.1.0 */
    VIOMMU_CPU_MODE_CUSTOM,  /* cpu_model of the plan */
    VIOMMU_CPU_MODE_DEFAULT, /* no <cpu> element */
    VIOMMU_CPU_MODE_LAST,
} ViommuCpuMode;
extern const ViommuEnum viommu_enum_cpu_mode;

/* An image of a disk's backing chain. */
typedef struct ViommuPlanBacking {
    char *path;
    ViommuDiskFormat format;
    bool is_open;   /* libvirt gets it open */
    char group[16]; /* libvirt's name for the open file: "vda.1" */
} ViommuPlanBacking;

typedef struct ViommuPlanDisk {
    char *path;
    bool is_open;       /* libvirt gets it open, as an fd group with the target's name */
    bool is_block;      /* a block device */
    bool is_kept;       /* libvirt must not change its owner and label */
    bool overlay;       /* made when the machine is launched, over the first of backing */
    GPtrArray *backing; /* of ViommuPlanBacking, all of them kept; NULL: not looked at */
    ViommuDiskFormat format;
    ViommuDiskBus bus;
    bool read_only;
    char target[12];     /* "vda", "sdb", "nvme0n1" */
    bool translated;     /* <driver iommu='on'/> */
    bool ats;            /* <driver ats='on'/> */
    uint64_t boot_order; /* VIOMMU_UNSET_NUMBER: it has no place */
} ViommuPlanDisk;

/* A virtio device besides disks and networks. */
typedef struct ViommuPlanDevice {
    bool present;
    bool translated, ats; /* as of a disk */
    int asked;            /* its index in the request's devices; VIOMMU_UNSET: it is not there */
} ViommuPlanDevice;

/* A port of the guest, and the one of the host's 127.0.0.1 that leads to it. */
typedef struct ViommuPlanPort {
    uint16_t guest, host;
} ViommuPlanPort;

typedef struct ViommuPlanNetwork {
    ViommuNetworkType type;
    char *source;
    ViommuNetworkModel model;
    bool translated, ats;
    uint64_t boot_order; /* as of a disk */
    bool without_vhost;  /* QEMU itself serves the network */
    GArray *passt_ports; /* of ViommuPlanPort: passt serves the network; NULL: it does not */
} ViommuPlanNetwork;

/* How the guest is told what the request's seed says. */
typedef struct ViommuPlanSeed {
    bool present;
    ViommuSeedBy by;
    char *path;      /* of the file for it, made when the machine is launched; NULL: credentials */
    char *hostname;  /* of credentials */
    char **ssh_keys; /* of credentials: root's; NULL: none */
} ViommuPlanSeed;

/* A directory of the host. */
typedef struct ViommuPlanShare {
    ViommuShareType type;
    char *path;
    char *tag;
    bool read_only;
    bool mapped;     /* owners and modes that the guest sets are kept in extended attributes */
    bool translated; /* behind the IOMMU */
} ViommuPlanShare;

/* How the guest's memory is kept from the host. */
typedef struct ViommuPlanLaunchSecurity {
    int kind;        /* ViommuLaunchSecurity; VIOMMU_UNSET: not at all */
    uint64_t policy; /* VIOMMU_UNSET_NUMBER: libvirt's */
    bool locks;      /* all of the guest's memory is locked */
    bool splits;     /* the I/O APIC must be QEMU's */
    bool hashes;     /* QEMU gives the firmware the hashes of the kernel, initrd and command line */
} ViommuPlanLaunchSecurity;

typedef enum ViommuSecureBoot {
    VIOMMU_SECURE_BOOT_NONE,    /* no UEFI: no setting */
    VIOMMU_SECURE_BOOT_FEATURE, /* <firmware><feature name='secure-boot'/>, libvirt 7.2.0 */
    VIOMMU_SECURE_BOOT_LOADER,  /* <loader secure=''/>, before */
    VIOMMU_SECURE_BOOT_LAST,
} ViommuSecureBoot;

/* libvirt places other devices from the lowest slot on, and a q35 has some in the last one. */
#define VIOMMU_SPARE_SATA_SLOT 0x1eu

typedef struct ViommuPlan {
    char *name;
    char *domain; /* its name: the machine's with the site's prefix */
    char *uuid;
    ViommuArch arch;
    ViommuFamily family;
    char *machine;
    ViommuAccelerator accelerator; /* KVM or TCG */
    char *emulator;                /* path; NULL: libvirt's choice */
    uint64_t vcpus;                /* the maximum */
    uint64_t vcpus_present;        /* when the guest starts */
    uint64_t memory_bytes;         /* when the guest starts */
    uint64_t memory_max_bytes;     /* with all that can be plugged in */
    int memory_hotplug;            /* ViommuMemoryHotplug; VIOMMU_UNSET: nothing can be */
    uint64_t memory_block_bytes;   /* the least that can be */
    bool memory_translated;        /* virtio-mem is behind the IOMMU */
    uint64_t page_size_bytes;      /* 0: ordinary pages */
    bool locked;
    uint64_t memlock_bytes;       /* what QEMU may have to lock; 0: nothing */
    uint64_t memlock_start_bytes; /* the same, before memory is plugged in */
    ViommuFirmware firmware;      /* BIOS or EFI */
    ViommuSecureBoot secure_boot_by;
    bool secure_boot;
    /* require a firmware with a variable store: libvirt may otherwise choose one for SEV guests
     * only */
    bool firmware_stateful;
    bool firmware_stateless; /* require one without a variable store */
    /* file with the firmware's variables, by the UUID; NULL: none, or libvirt's choice */
    char *nvram;
    bool acpi;
    bool ioapic_split;
    unsigned gic_version; /* 0: libvirt's choice, or no GIC */
    ViommuPlanLaunchSecurity launch_security;
    ViommuCpuMode cpu_mode;
    uint64_t address_bits;  /* of the CPU's physical addresses; VIOMMU_UNSET_NUMBER: not said */
    uint64_t address_limit; /* the most of them; VIOMMU_UNSET_NUMBER: none */
    const char *cpu_model;  /* of CPU_MODE_CUSTOM. Static */
    bool boots_in_order;    /* devices have places, instead of the first disk or network */
    char *kernel, *initrd, *cmdline;
    const char *timer_word; /* makes Linux skip the check of its timer; NULL: none. Static */
    char *label;            /* of security model dac, for QEMU; NULL: libvirt's own choice */
    uint64_t group;         /* QEMU's, on the system bus; VIOMMU_UNSET_NUMBER: not known */
    /* security models that would label files, which must be kept; ended by NULL.  Static */
    const char *kept_models[3];
    GPtrArray *disks;    /* of ViommuPlanDisk */
    GPtrArray *networks; /* of ViommuPlanNetwork */
    GPtrArray *shares;   /* of ViommuPlanShare */
    bool shared_memory;  /* other processes than QEMU map the guest's memory */
    ViommuPlanSeed seed;
    ViommuPlanDevice devices[VIOMMU_DEVICE_LAST]; /* by ViommuDeviceKind */
    bool agent;                                   /* the guest agent has its channel */
    bool vsock;                                   /* it has a vsock device */
    bool vsock_translated;                        /* that is behind the IOMMU */
    /* why it is not, although virtio devices are; NULL: it is, or they are not */
    char *vsock_obstacle;
    /* the host's, where its systemd says over vsock that it has booted; 0: nowhere */
    uint32_t ready_port;
    ViommuPlacement placement; /* the assigned devices */
    ViommuPcie pcie;           /* the PCI Express tree for them */
    GArray *cells;             /* of ViommuNumaCell; empty: the guest has no NUMA */
    ViommuIommuChoice iommu;
    ViommuWait wait;
    ViommuLevel level; /* that the guest must show */
    /* the number of a SATA controller at VIOMMU_SPARE_SATA_SLOT of pcie.0, which only the proof
     * uses; VIOMMU_UNSET: none is added */
    int spare_sata;
    GPtrArray *warnings; /* of char * */
    GPtrArray *notes;    /* of char *: defaults taken and side effects, in plain words */
} ViommuPlan;

typedef struct ViommuPlanInput {
    const ViommuRequest *request;
    const ViommuHost *host;
    const ViommuPolicy *policy;
    const ViommuHandovers *handovers; /* NULL: a dry run, which takes the paths as they stand */
    const ViommuKernel *kernel;       /* what was read from boot.kernel; NULL: nothing */
    /* overrides the made-up name of a request that has none; may be NULL */
    const char *name;
    /* NULL: one derived from the request, so that a dry run is the same each time */
    const char *uuid;
    const ViommuClaim *claims; /* PCI devices of other machines; NULL: none */
    size_t n_claims;
    /* one for each of the request's networks, "" where not known; NULL: none is known */
    char **forward_modes;
    /* Of a machine that runs, to which the request's only device is to be attached: the targets of
     * its disks, ended by NULL, and how many devices of the host it has.  NULL and 0: a launch. */
    char *const *targets;
    unsigned n_hostdevs;
    const ViommuAsker *asker; /* NULL: no particular user, and no policy applies */
    bool is_remote;           /* libvirt is on another host, where the asker has no account */
    const ViommuVeto *vetoes; /* libvirt's refusals so far */
    size_t n_vetoes;
} ViommuPlanInput;

/** @ret_plan owned; untouched on failure.  @ret_reasons owned GPtrArray of ViommuReason: on failure
 *  all reasons against the plan; untouched on success. May be NULL.  Fails: NOT_SUPPORTED,
 *  INVALID_REQUEST, POLICY_REFUSED, BUSY.  Pure; any thread; same input, same plan. */
bool viommu_plan_build(const ViommuPlanInput *input, ViommuPlan **ret_plan, GPtrArray **ret_reasons,
                       GError **error);
void viommu_plan_free(ViommuPlan *plan);
void viommu_plan_backing_free(ViommuPlanBacking *backing);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuPlan, viommu_plan_free)

/** machine: whether a plan for @request could have KVM, if KVM works: the guest has the host's own
 *  architecture, and neither the request nor the site says 'tcg'. */
bool viommu_plan_may_use_kvm(const ViommuRequest *request, const ViommuHost *host,
                             const ViommuPolicy *policy);

/** user-networks: draws the ports of the host that passt uses, by the UUID and @turn; the plan has
 *  those of turn 0.  False: there are none.  Pure. */
bool viommu_plan_draw_ports(ViommuPlan *plan, unsigned turn);

/** launch-security: whether the kernel locks all memory of a guest of @kind (VIOMMU_UNSET: none).
 *  Pure; any thread. */
bool viommu_launch_security_locks(int kind);
/** launch-security: whether each virtio device has iommu='on', so that the guest uses its DMA API
 *  for it: behind an IOMMU, or with encrypted memory. */
bool viommu_plan_marks_virtio(const ViommuPlan *plan);
/** The table that describes the IOMMU to the guest: "DMAR", "IVRS", "IORT", "VIOT", all of ACPI, or
 *  "device tree"; NULL without an IOMMU.  Static. */
const char *viommu_plan_guest_table(const ViommuPlan *plan);

/** The name for a request without one: "vm-" and the first ten digits of its fingerprint. Owned. */
char *viommu_plan_default_name(const ViommuRequest *request);
