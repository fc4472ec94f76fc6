/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* platform: the words, and the default machine types. */
#include "lib/base/platform.h"

#include <string.h>

VIOMMU_ENUM_DEFINE(arch, "architecture", VIOMMU_ARCH_LAST, "x86_64", "aarch64");
VIOMMU_ENUM_DEFINE(family, "machine family", VIOMMU_FAMILY_LAST, "q35", "virt", "pc");
VIOMMU_ENUM_DEFINE(accelerator, "accelerator", VIOMMU_ACCELERATOR_LAST, "auto", "kvm", "tcg");
VIOMMU_ENUM_DEFINE(firmware, "firmware", VIOMMU_FIRMWARE_LAST, "auto", "bios", "efi");
VIOMMU_ENUM_DEFINE(launch_security, "kind of launch security", VIOMMU_LAUNCH_SECURITY_LAST, "sev", "sev-snp",
                   "tdx");
VIOMMU_ENUM_DEFINE(cpu_vendor, "vendor of a CPU", VIOMMU_CPU_VENDOR_LAST, "intel", "amd");
VIOMMU_ENUM_DEFINE(model, "IOMMU model", VIOMMU_MODEL_LAST, "intel", "smmuv3", "virtio", "amd");

/* Of versioned names; the name of a family is also the alias of its newest machine type. */
static const char *const prefixes[] = {
    [VIOMMU_FAMILY_Q35] = "pc-q35-",
    [VIOMMU_FAMILY_VIRT] = "virt-",
    [VIOMMU_FAMILY_I440FX] = "pc-i440fx-",
};
G_STATIC_ASSERT(G_N_ELEMENTS(prefixes) == VIOMMU_FAMILY_LAST);

/* Distributions write "rhel9.4.0" or "9.2+pve1". */
static bool is_release(const char *text)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_+";

    return *text && strspn(text, allowed) == strlen(text);
}

const char *viommu_machine_release(const char *machine)
{
    for (int family = 0; family < VIOMMU_FAMILY_LAST; family++)
        if (g_str_has_prefix(machine, prefixes[family]) && is_release(machine + strlen(prefixes[family])))
            return machine + strlen(prefixes[family]);
    return NULL;
}

int viommu_family_of_machine(const char *machine)
{
    for (int family = 0; viommu_machine_release(machine) && family < VIOMMU_FAMILY_LAST; family++)
        if (g_str_has_prefix(machine, prefixes[family]))
            return family;
    return viommu_enum_from_string(&viommu_enum_family, machine);
}

static const ViommuFamily default_families[] = {
    [VIOMMU_ARCH_X86_64] = VIOMMU_FAMILY_Q35,
    [VIOMMU_ARCH_AARCH64] = VIOMMU_FAMILY_VIRT,
};
G_STATIC_ASSERT(G_N_ELEMENTS(default_families) == VIOMMU_ARCH_LAST);

const char *viommu_arch_default_machine(ViommuArch arch)
{
    return viommu_enum_to_string(&viommu_enum_family, (int)default_families[arch]);
}
