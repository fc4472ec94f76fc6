/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* platform: the words, and the default machine types. */
#include "lib/base/platform.h"

VIOMMU_ENUM_DEFINE(arch, "architecture", VIOMMU_ARCH_LAST, "x86_64", "aarch64");
VIOMMU_ENUM_DEFINE(family, "machine family", VIOMMU_FAMILY_LAST, "q35", "virt", "pc");
VIOMMU_ENUM_DEFINE(accelerator, "accelerator", VIOMMU_ACCELERATOR_LAST, "auto", "kvm", "tcg");
VIOMMU_ENUM_DEFINE(firmware, "firmware", VIOMMU_FIRMWARE_LAST, "auto", "bios", "efi");
VIOMMU_ENUM_DEFINE(model, "IOMMU model", VIOMMU_MODEL_LAST, "intel", "smmuv3", "virtio", "amd");

static const ViommuFamily default_families[] = {
    [VIOMMU_ARCH_X86_64] = VIOMMU_FAMILY_Q35,
    [VIOMMU_ARCH_AARCH64] = VIOMMU_FAMILY_VIRT,
};
G_STATIC_ASSERT(G_N_ELEMENTS(default_families) == VIOMMU_ARCH_LAST);

const char *viommu_arch_default_machine(ViommuArch arch)
{
    return viommu_enum_to_string(&viommu_enum_family, (int)default_families[arch]);
}
