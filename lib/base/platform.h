/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* platform: the words that facts, hosts, requests and plans share: architectures, machine families,
 * accelerators, firmware, IOMMU models; and the default machine type of each architecture.  Which
 * of them work together is a fact, and not known here. */
#pragma once

#include "lib/base/enum.h"

typedef enum ViommuArch {
    VIOMMU_ARCH_X86_64,
    VIOMMU_ARCH_AARCH64,
    VIOMMU_ARCH_LAST,
} ViommuArch;
extern const ViommuEnum viommu_enum_arch;

/* Of ordinary memory pages.  aarch64 kernels are built for 4, 16 or 64 KiB. */
#define VIOMMU_X86_PAGE_BYTES     4096u
#define VIOMMU_ARM_PAGE_MAX_BYTES 65536u

/* Machine types by family; the versioned name "pc-q35-7.2" belongs to the family q35. */
typedef enum ViommuFamily {
    VIOMMU_FAMILY_Q35,
    VIOMMU_FAMILY_VIRT,
    VIOMMU_FAMILY_I440FX, /* libvirt and QEMU call it pc */
    VIOMMU_FAMILY_LAST,
} ViommuFamily;
extern const ViommuEnum viommu_enum_family;

/** The family of a machine type, by its name or its versioned name; VIOMMU_UNSET: none. */
int viommu_family_of_machine(const char *machine);
/** The part of a versioned name that follows the family's prefix: "7.2" of "pc-q35-7.2"; NULL: the
 *  name is not versioned, or has characters that no machine has.  Points into @machine. */
const char *viommu_machine_release(const char *machine);
/** The machine type that a guest of @arch gets unless its request names one: "q35".  Static. */
const char *viommu_arch_default_machine(ViommuArch arch);

typedef enum ViommuAccelerator {
    VIOMMU_ACCELERATOR_AUTO,
    VIOMMU_ACCELERATOR_KVM,
    VIOMMU_ACCELERATOR_TCG,
    VIOMMU_ACCELERATOR_LAST,
} ViommuAccelerator;
extern const ViommuEnum viommu_enum_accelerator;

typedef enum ViommuFirmware {
    VIOMMU_FIRMWARE_AUTO,
    VIOMMU_FIRMWARE_BIOS, /* SeaBIOS; on aarch64: none, a direct kernel boot with a device tree */
    VIOMMU_FIRMWARE_EFI,
    VIOMMU_FIRMWARE_LAST,
} ViommuFirmware;
extern const ViommuEnum viommu_enum_firmware;

/* Who made a CPU of x86_64, by the name that it gives itself. */
typedef enum ViommuCpuVendor {
    VIOMMU_CPU_VENDOR_INTEL,
    VIOMMU_CPU_VENDOR_AMD,
    VIOMMU_CPU_VENDOR_LAST,
} ViommuCpuVendor;
extern const ViommuEnum viommu_enum_cpu_vendor;

/* How the CPU keeps a guest's memory from its host. */
typedef enum ViommuLaunchSecurity {
    VIOMMU_LAUNCH_SECURITY_SEV,
    VIOMMU_LAUNCH_SECURITY_SEV_SNP,
    VIOMMU_LAUNCH_SECURITY_TDX,
    VIOMMU_LAUNCH_SECURITY_LAST,
} ViommuLaunchSecurity;
extern const ViommuEnum viommu_enum_launch_security;

/* The IOMMU models of libvirt, in the native order of preference. */
typedef enum ViommuModel {
    VIOMMU_MODEL_NONE = -1,
    VIOMMU_MODEL_INTEL,
    VIOMMU_MODEL_SMMUV3,
    VIOMMU_MODEL_VIRTIO,
    VIOMMU_MODEL_AMD,
    VIOMMU_MODEL_LAST,
} ViommuModel;
extern const ViommuEnum viommu_enum_model;

static inline const char *viommu_model_to_string(ViommuModel model)
{
    return viommu_enum_to_string(&viommu_enum_model, model);
}
static inline const char *viommu_arch_to_string(ViommuArch arch)
{
    return viommu_enum_to_string(&viommu_enum_arch, (int)arch);
}
