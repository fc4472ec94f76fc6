/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* facts: the one table of minimum versions: which libvirt, QEMU, architecture, machine and guest
 * kernel each feature needs, each row with its source. */
#pragma once

#include <stdbool.h>
#include "lib/base/platform.h"
#include "lib/base/version.h"

typedef enum ViommuFactId {
    VIOMMU_FACT_INTEL,
    VIOMMU_FACT_SMMUV3,
    VIOMMU_FACT_VIRTIO_X86_64,
    VIOMMU_FACT_VIRTIO_AARCH64,
    VIOMMU_FACT_AMD,
    VIOMMU_FACT_INTEL_INTREMAP,
    VIOMMU_FACT_INTEL_EIM,
    VIOMMU_FACT_INTEL_EIM_TCG,
    VIOMMU_FACT_INTEL_CACHING_MODE,
    VIOMMU_FACT_INTEL_IOTLB,
    VIOMMU_FACT_INTEL_AW_BITS,
    VIOMMU_FACT_INTEL_DMA_TRANSLATION,
    VIOMMU_FACT_VIRTIO_AW_BITS,
    VIOMMU_FACT_VIRTIO_GRANULE,
    VIOMMU_FACT_AMD_INTREMAP,
    VIOMMU_FACT_AMD_IOTLB,
    VIOMMU_FACT_AMD_XTSUP,
    VIOMMU_FACT_AMD_MANY_VCPUS,
    VIOMMU_FACT_DEVICE_TRANSLATION,
    VIOMMU_FACT_FIRMWARE_EFI,
    VIOMMU_FACT_FIRMWARE_FEATURE,
    VIOMMU_FACT_FIRMWARE_STATEFUL,
    VIOMMU_FACT_NVRAM_PATH,
    VIOMMU_FACT_SMMUV3_ACPI_TCG,
    VIOMMU_FACT_VIRT_MANY_VCPUS_TCG,
    VIOMMU_FACT_CPU_MAXIMUM,
    VIOMMU_FACT_OPEN_DISK,
    VIOMMU_FACT_OPEN_DISK_ATTACHED,
    VIOMMU_FACT_AGENT_NESTING,
    VIOMMU_FACT_INTEL_HOSTDEV,
    VIOMMU_FACT_VIRTIO_HOSTDEV,
    VIOMMU_FACT_SMMUV3_ACCEL,
    VIOMMU_FACT_IOMMUFD,
    VIOMMU_FACT_IOMMUFD_CDEV,
    VIOMMU_FACT_HOSTDEV_DRIVER,
    VIOMMU_FACT_MEMLOCK_PER_DEVICE,
    VIOMMU_FACT_KEPT_SOURCE,
    VIOMMU_FACT_SMMUV3_RIL,
    VIOMMU_FACT_SMMUV3_ACPI_NO_ITS,
    VIOMMU_FACT_FW_CFG,
    VIOMMU_FACT_VSOCK_TRANSLATION,
    VIOMMU_FACT_VIRTIOFS,
    VIOMMU_FACT_VIRTIOFS_USER,
    VIOMMU_FACT_VIRTIOFS_READ_ONLY,
    VIOMMU_FACT_NETWORK_IGB,
    VIOMMU_FACT_DISK_NVME,
    VIOMMU_FACT_SEV,
    VIOMMU_FACT_SEV_SNP,
    VIOMMU_FACT_TDX,
    VIOMMU_FACT_VIRTIO_MEM,
    VIOMMU_FACT_VIRTIO_MEM_HOSTDEV,
    VIOMMU_FACT_VIRTIO_MEM_TRANSLATION,
    VIOMMU_FACT_CPU_ADDRESS_BITS,
    VIOMMU_FACT_CPU_ADDRESS_LIMIT,
    VIOMMU_FACT_SMMUV3_CMDQV,
    VIOMMU_FACT_DISK_NVME_STATE,
    VIOMMU_FACT_NETWORK_VHOSTUSER,
    VIOMMU_FACT_NETWORK_VDPA,
    VIOMMU_FACT_NETWORK_VDPA_TRANSLATION,
    VIOMMU_FACT_SMMUV3_SEVERAL,
    VIOMMU_FACT_LAST,
} ViommuFactId;
extern const ViommuEnum viommu_enum_fact;

/* A source is one or more of these, separated by "; ":
 *   matrix: ROW                                   a row of docs/matrix.md
 *   emulated: MODEL, SEEN                         the beginning of a row of docs/hardware.md
 *   libvirt|QEMU|Linux RELEASE FILE [(WHAT)]      a file of that release's source
 *   QEMU|Linux COMMIT [(WHAT)]
 *   measured: LIBVIRT[/QEMU] SAW[, ...] [(WHAT)]  real binaries
 * and in addition to these, never alone,
 *   libvirt NEWS RELEASE                          what its release notes say */
typedef struct ViommuFact {
    const char *what;           /* "virtio on x86_64" */
    ViommuVersion libvirt;      /* least; 0: any */
    ViommuVersion qemu;         /* least; 0: any */
    ViommuVersion guest_kernel; /* least mainline kernel of a guest that drives it; 0: any */
    const char *source;         /* how it is known */
    ViommuVersion host_kernel;  /* least mainline kernel of the host; 0: any */
} ViommuFact;

/* Faults of some releases of QEMU, which the plan avoids. */
typedef enum ViommuFlawId {
    VIOMMU_FLAW_VHOST_UNMAP,        /* vhost is not told of unmapping by a guest without ATS */
    VIOMMU_FLAW_VHOST_DEVICE_IOTLB, /* the same for an IOMMU with a device IOTLB */
    VIOMMU_FLAW_SMMUV3_RIL,         /* accelerated: the host's SMMU must have range invalidation */
    VIOMMU_FLAW_VHOSTUSER_TCG,      /* vhost-user with MSI under TCG ends QEMU */
    VIOMMU_FLAW_LAST,
} ViommuFlawId;

typedef struct ViommuFlaw {
    const char *what;
    struct {
        ViommuVersion from, before; /* both 0: no further range */
    } qemu[2];
    const char *source; /* in the form of a fact's source */
} ViommuFlaw;

/* Machine versions of "virt" before this one have no ITS (QEMU 5.2 hw/arm/virt.c, no_its). */
#define VIOMMU_FACT_VIRT_ITS VIOMMU_VERSION_OF(2, 8, 0)

/* virtio devices of machine versions before this one are legacy ones, which QEMU puts behind no
 * IOMMU (QEMU 5.2 hw/core/machine.c, hw_compat_2_6; measured: QEMU 7.2 refuses them with pc-q35-2.6
 * and virt-2.6, and takes them with 2.7). */
#define VIOMMU_FACT_MODERN_VIRTIO VIOMMU_VERSION_OF(2, 7, 0)

/* Machine versions of q35 before this one have an 'intel' of 39 address bits, where nothing says
 * how many, and later ones have 48 (QEMU 10.0 hw/i386/pc.c, pc_compat_9_1). */
#define VIOMMU_FACT_INTEL_WIDE_MACHINE VIOMMU_VERSION_OF(9, 2, 0)

/* Since this release at the latest, libvirt adds an IOMMU with EIM, or EIM alone, where so many
 * vCPUs need it (libvirt NEWS, "Automatically add IOMMU when needed"). */
#define VIOMMU_FACT_LIBVIRT_ADDS_EIM VIOMMU_VERSION_OF(11, 0, 0)

/* The most vCPUs of "virt" under TCG before VIRT_MANY_VCPUS_TCG: one region of the GIC's
 * redistributors holds so many. */
#define VIOMMU_FACT_VIRT_FEW_VCPUS 123u

/** The row. Static. */
const ViommuFact *viommu_fact(ViommuFactId id);
/** "libvirt 12.1 and QEMU 9.0 or newer": the minimum versions of the row, for messages. Owned,
 *  g_free(). */
char *viommu_fact_needs(ViommuFactId id);
/** "this host has libvirt 9.0.0 and QEMU 7.2.22": the host's versions of what the row needs. Owned,
 *  g_free(). */
char *viommu_fact_had(ViommuFactId id, ViommuVersion libvirt, ViommuVersion qemu);
/** "Linux 6.2": the row's minimum kernel, the host's if @of_host, else the guest's. Owned,
 *  g_free(). */
char *viommu_fact_kernel(ViommuFactId id, bool of_host);
/** libvirt and QEMU are both new enough. */
bool viommu_fact_holds(ViommuFactId id, ViommuVersion libvirt, ViommuVersion qemu);
/** The oldest QEMU that this libvirt itself accepts. */
ViommuVersion viommu_fact_qemu_floor(ViommuVersion libvirt);
/** The row. Static. */
const ViommuFlaw *viommu_flaw(ViommuFlawId id);
/** Whether @qemu has the flaw. */
bool viommu_flaw_is_in(ViommuFlawId id, ViommuVersion qemu);
/** "QEMU from 6.0 on and before 7.2.1": the range of the flaw that contains @qemu. Owned,
 *  g_free(). */
char *viommu_flaw_range(ViommuFlawId id, ViommuVersion qemu);
/** Whether @qemu is too old for @machine, the version in a machine's name. */
bool viommu_fact_machine_is_later(ViommuVersion machine, ViommuVersion qemu);
/** Whether @qemu has removed @machine, the version in a machine's name. */
bool viommu_fact_machine_is_removed(ViommuVersion machine, ViommuVersion qemu);
/** The most vCPUs of a machine of @family and version @machine ("pc-q35-7.2": 7.2). */
uint64_t viommu_fact_max_vcpus(ViommuFamily family, ViommuVersion machine);
