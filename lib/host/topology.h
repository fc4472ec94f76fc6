/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology: the host's hardware for the assignment of devices: PCI devices, their groups, their
 * IOMMUs, the firmware's tables, memory by node.  Read below a root directory; part of a recorded
 * host.  Knows no request. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/enum.h"
#include "lib/base/fields.h"
#include "lib/base/version.h"

/* What translates DMA of the host's own devices, by the kernel's driver. */
typedef enum ViommuIommuKind {
    VIOMMU_IOMMU_KIND_INTEL,
    VIOMMU_IOMMU_KIND_AMD,
    VIOMMU_IOMMU_KIND_SMMUV3,
    VIOMMU_IOMMU_KIND_SMMU,   /* version 1 or 2 */
    VIOMMU_IOMMU_KIND_VIRTIO, /* the host is itself a guest */
    VIOMMU_IOMMU_KIND_OTHER,
    VIOMMU_IOMMU_KIND_LAST,
} ViommuIommuKind;
extern const ViommuEnum viommu_enum_iommu_kind;

/* The state of a table of the firmware. */
typedef enum ViommuTableState {
    VIOMMU_TABLE_STATE_GOOD,   /* it describes at least one IOMMU */
    VIOMMU_TABLE_STATE_BROKEN, /* it exists and describes none; its problem says why */
    VIOMMU_TABLE_STATE_UNREAD, /* it exists, but only root may read it */
    VIOMMU_TABLE_STATE_LAST,
} ViommuTableState;
extern const ViommuEnum viommu_enum_table_state;

/* The limits of a recording; the rest of a larger machine is left out. */
#define VIOMMU_TOPOLOGY_DEVICES_MAX 4096
#define VIOMMU_TOPOLOGY_IOMMUS_MAX  256
#define VIOMMU_TOPOLOGY_NODES_MAX   256

/* VIOMMU_UNSET_NUMBER or NULL means not known, or none, unless noted. */

/* One IOMMU of the host, as /sys/class/iommu names it. */
typedef struct ViommuHostIommu {
    char *name; /* "dmar0", "ivhd0", "smmu3.0x0000000009050000" */
    int kind;   /* ViommuIommuKind */
    /* of the addresses that it translates; unset for each SMMU and virtio, whose drivers do not
     * show it */
    uint64_t width_bits;
    /* flag: its registers say that it can remap interrupts; unset: its driver does not show it */
    int interrupt_remapping;
} ViommuHostIommu;

/* No device has it: a device whose vendor, device or class cannot be read gets the greatest numbers
 * for all three. */
#define VIOMMU_PCI_NO_VENDOR 0xffffu

/* Smaller BARs fit into what each firmware keeps. */
#define VIOMMU_PCI_LARGE_BARS (UINT64_C(1) << 30)

/* A PCI device: each endpoint, and each bridge that shares its group with one. */
typedef struct ViommuPciDevice {
    char *address; /* "0000:01:00.0" */
    uint64_t vendor, device;
    uint64_t class_code; /* 24 bits: base, sub, interface */
    char *driver;        /* NULL: none is bound */
    uint64_t node;       /* NUMA */
    uint64_t group;      /* IOMMU group; not one of VFIO's no-IOMMU mode */
    char *iommu;         /* the ViommuHostIommu of this name */
    /* memory that the firmware wants mapped one to one for the group, so that the kernel assigns
     * the group to no guest: "0x7b800000-0x7fffffff" */
    char **direct_regions;
    char *physical_function; /* of a virtual function: the address of its physical function */
    /* of its 64-bit BARs together, if that is VIOMMU_PCI_LARGE_BARS or more */
    uint64_t large_bar_bytes;
    uint64_t virtual_functions; /* how many a physical function can have */
    /* flag: viommud may open its group's node in /dev/vfio; unset: there is none, because no VFIO
     * driver is bound */
    int usable;
    char **
        /* how the host itself uses it, its virtual functions or what is below them, as text; also
         * lists what is not visible */
        uses;
    /* "vfio0": /dev/vfio/devices/vfio0, if a VFIO driver is bound and the kernel has it */
    char *cdev;
} ViommuPciDevice;

/* One of DMAR, IVRS, IORT, VIOT. */
typedef struct ViommuAcpiTable {
    char *name;
    int state;      /* ViommuTableState */
    uint64_t units; /* usable IOMMUs in it; unset: not read */
    char *problem;  /* why it is broken */
    /* flag, of a good DMAR: the platform allows its IOMMUs to remap interrupts */
    int interrupt_remapping;
} ViommuAcpiTable;

typedef struct ViommuHugePages {
    uint64_t size_bytes, total, free;
} ViommuHugePages;

typedef struct ViommuNode {
    uint64_t node;
    uint64_t memory_bytes;
    GPtrArray *huge_pages; /* of ViommuHugePages */
} ViommuNode;

typedef struct ViommuTopology {
    bool present;
    ViommuVersion kernel;      /* Linux's; 0: not known */
    uint64_t page_bytes;       /* of an ordinary page */
    uint64_t cpu_address_bits; /* of physical addresses */
    int cpu_vendor;            /* ViommuCpuVendor; unset: not known, or another one */
    /* flag: KVM gives guests VMX or SVM; unset: its module is not loaded */
    int nested;
    int acpi;               /* flag: the firmware has ACPI tables; unset: not visible */
    GPtrArray *tables;      /* of ViommuAcpiTable: those of the four that exist */
    char **kernel_options;  /* words of the kernel's command line that concern IOMMUs and VFIO */
    GPtrArray *iommus;      /* of ViommuHostIommu, by name */
    GPtrArray *devices;     /* of ViommuPciDevice, by address */
    char **vfio_drivers;    /* modules of this kernel that are made for VFIO; NULL: not visible */
    GPtrArray *nodes;       /* of ViommuNode */
    int vfio, iommufd;      /* flags: the kernel has it; unset: not visible */
    int iommufd_usable;     /* flag: viommud may open /dev/iommu; unset: there is none */
    int iommufd_loadable;   /* flag: iommufd is a module that is not loaded yet */
    int vhost_vsock;        /* flag: the kernel has /dev/vhost-vsock; unset: not visible */
    int vhost_vsock_usable; /* flag: viommud may open it; unset: it is not visible */
    /* flag: this host's own rules of AppArmor for guests let QEMU read and write it */
    int vhost_vsock_rule;
    /* flag: the kernel remaps interrupts, by the names of its interrupt chips */
    int interrupt_remapping;
    /* flags: VFIO's container, and iommufd, assign devices even without interrupt remapping */
    int unsafe_interrupts, iommufd_unsafe_interrupts;
    uint64_t dma_entry_limit; /* the most mappings of a VFIO container */
} ViommuTopology;

extern const ViommuFields viommu_topology_fields;

/** Reads the hardware below the directory @root ("/": this machine) into @topology, which is
 *  cleared first.  What is missing or invalid is unset.  Fails: NOT_FOUND, when @root cannot be
 *  opened. */
bool viommu_topology_read(const char *root, ViommuTopology *topology, GError **error);

/** Borrowed; NULL: not found. */
const ViommuHostIommu *viommu_topology_iommu(const ViommuTopology *topology, const char *name);
const ViommuPciDevice *viommu_topology_device(const ViommuTopology *topology, const char *address);
bool viommu_pci_device_is_bridge(const ViommuPciDevice *device);
bool viommu_pci_device_is_unknown(const ViommuPciDevice *device);
/** "network", "display", ...: the class as a word; "device" for other classes.  Static. */
const char *viommu_pci_device_noun(const ViommuPciDevice *device);

typedef enum ViommuIommuUse {
    VIOMMU_IOMMU_USE_NONE, /* there is none, or its description is broken or not readable */
    VIOMMU_IOMMU_USE_IDLE, /* the firmware describes one well, but the kernel does not use it */
    VIOMMU_IOMMU_USE_USED, /* the kernel has put PCI devices into groups */
    VIOMMU_IOMMU_USE_LAST,
} ViommuIommuUse;

/** Whether the kernel remaps the interrupts of assigned devices, which it requires for an
 *  assignment: 1 or 0; VIOMMU_UNSET: not known.  @arch: ViommuArch of the host, or VIOMMU_UNSET.
 *  @ret_reason: with 0, the reason and the advice (owned); otherwise untouched. */
int viommu_topology_remaps_interrupts(const ViommuTopology *topology, int arch, char **ret_reason);
/** Whether the kernel is set to assign devices without interrupt remapping, through iommufd or
 *  through a VFIO container. */
bool viommu_topology_allows_unsafe(const ViommuTopology *topology, bool iommufd);

/** Whether the host has an IOMMU of its own; *ret_reason (owned): a sentence, with advice when it
 *  is not used. */
ViommuIommuUse viommu_topology_judge(const ViommuTopology *topology, char **ret_reason);
