/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host: what is known of a machine that runs libvirt and QEMU.  Filled from a live libvirt (caps,
 * by the daemon's backend) or from a recorded host file.  schemas/host.schema.json describes the
 * tree. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/platform.h"
#include "lib/facts/facts.h"
#include "lib/host/kvm-verdict.h"
#include "lib/host/site-record.h"
#include "lib/host/topology.h"
#include "lib/base/version.h"

/* Machines of one emulator with the same limit of vCPUs. */
typedef struct ViommuMachineLimit {
    uint64_t max_vcpus;
    char **machines;
} ViommuMachineLimit;

typedef struct ViommuEmulator {
    /* ViommuArch, or VIOMMU_UNSET when viommud launches nothing on it (see arch_name) */
    int arch;
    char *arch_name;
    ViommuVersion qemu;
    char *path;            /* NULL: libvirt's own choice */
    uint64_t accelerators; /* bit per ViommuAccelerator */
    char **machines;       /* QEMU's names; NULL: those of such a version */
    /* bit per ViommuFirmware; 0: those of such hosts (x86_64: bios, efi; aarch64: efi) */
    uint64_t firmware;
    uint64_t accepts, refuses; /* bit per ViommuFactId: libvirt's answer when it was asked */
    /* of the default machine; VIOMMU_UNSET_NUMBER: the limit of such a version */
    uint64_t max_vcpus;
    GPtrArray *machine_limits; /* of ViommuMachineLimit; NULL: not known */
    /* What its domain capabilities list, flags and words; unset, NULL: nothing of that kind.
     * libvirt lists VFIO and iommufd only where the host's kernel has them, too, and may remember
     * an answer from before that; passt only where its program is installed. */
    int vfio, iommufd;
    int user_network, passt;
    int launch_security[VIOMMU_LAUNCH_SECURITY_LAST]; /* by ViommuLaunchSecurity */
    char **gic_versions;                              /* "2", "3" */
} ViommuEmulator;

/* A security driver of libvirt. */
typedef struct ViommuSecmodel {
    char *model; /* "dac", "selinux", "apparmor", "none" */
    /* the default label of a guest's QEMU, for dac "+UID:+GID"; NULL: not reported */
    char *label;
} ViommuSecmodel;

typedef struct ViommuHost {
    ViommuVersion libvirt;
    char *arch_name; /* the host's own; NULL: that of the first emulator */
    GPtrArray *emulators;
    int has_iommu;         /* flag: the host itself has IOMMU groups; says nothing of guests */
    uint64_t memory_bytes; /* unset: not known */
    uint64_t page_bytes;   /* of an ordinary page, from libvirt; unset: not reported */
    int unprivileged;      /* flag: libvirt runs as an ordinary user, not as root; unset: as root */
    /* the most that libvirt can let a guest lock; unset: no bound, or not known */
    uint64_t locked_memory_bytes;
    GPtrArray *secmodels; /* of ViommuSecmodel; NULL: not known */
    int kvm;              /* ViommuKvm; VIOMMU_UNSET: it was not looked at */
    char *kvm_reason;     /* for BROKEN and UNKNOWN */
    /* the hardware; not present: not known, as on a remote host */
    ViommuTopology topology;
    /* what its site allows to users other than root; not present: not known */
    ViommuSiteRecord site;
} ViommuHost;

/** A host without facts, for a reader to fill. Owned. */
ViommuHost *viommu_host_new(void);
void viommu_host_free(ViommuHost *host);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuHost, viommu_host_free)
/** Appends an emulator without facts to @host, which keeps it. Borrowed. */
ViommuEmulator *viommu_host_add_emulator(ViommuHost *host);

/** Reads a recorded host.  Fails: INVALID_REQUEST naming the key. */
ViommuHost *viommu_host_from_variant(GVariant *tree, GError **error);
/** The same tree back, as a floating a{sv}. */
GVariant *viommu_host_to_variant(const ViommuHost *host);
/** The same without the hardware, which is long and changes with every device and free page. */
GVariant *viommu_host_software_to_variant(const ViommuHost *host);

/** The emulator for @arch; NULL when there is none.  Borrowed. */
const ViommuEmulator *viommu_host_emulator(const ViommuHost *host, ViommuArch arch);
/** libvirt's security model @model; NULL: none, or not known.  Borrowed. */
const ViommuSecmodel *viommu_host_secmodel(const ViommuHost *host, const char *model);
/** Whether libvirt offers KVM for guests of the host's own architecture. */
bool viommu_host_offers_kvm(const ViommuHost *host);
/** Whether its guests are confined beyond their user's rights: apparmor or selinux. */
bool viommu_host_confines(const ViommuHost *host);
/** The default group of a guest's QEMU; VIOMMU_UNSET_NUMBER: not known, for example without model
 *  dac. */
uint64_t viommu_host_qemu_group(const ViommuHost *host);
/** Adds a security model; copies both texts; @label may be NULL. */
void viommu_host_add_secmodel(ViommuHost *host, const char *model, const char *label);
/** Stores @verdict; NULL: that it was not looked at. */
void viommu_host_set_kvm(ViommuHost *host, const ViommuKvmVerdict *verdict);
/** The architecture of the host itself, or VIOMMU_UNSET when viommud has no machine for it. */
int viommu_host_arch(const ViommuHost *host);
/** The size of an ordinary page of the host's kernel; VIOMMU_UNSET_NUMBER: not known. */
uint64_t viommu_host_page_bytes(const ViommuHost *host);
/** The same; 4 KiB, as almost everywhere, where it is not known. */
uint64_t viommu_host_likely_page_bytes(const ViommuHost *host);
/** How many vCPUs @machine takes, as libvirt reports it; VIOMMU_UNSET_NUMBER: not known. */
uint64_t viommu_emulator_machine_vcpus(const ViommuEmulator *emulator, const char *machine);
/** Appends a limit without machines to @emulator, which keeps it. Borrowed. */
ViommuMachineLimit *viommu_emulator_add_limit(ViommuEmulator *emulator);
/** Whether @id holds for @emulator under @libvirt: by libvirt's answer if it was asked, else by the
 *  versions. */
bool viommu_emulator_has(const ViommuEmulator *emulator, ViommuVersion libvirt, ViommuFactId id);
/** Whether firmware of this kind is available (defaults applied). */
bool viommu_emulator_has_firmware(const ViommuEmulator *emulator, ViommuFirmware firmware);
