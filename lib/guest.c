/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/guest.h"

#include "lib/facts.h"
#include "lib/nearest.h"

#define Y VIOMMU_DRIVER_YES
#define M VIOMMU_DRIVER_MODULE
#define N VIOMMU_DRIVER_NO
#define U VIOMMU_DRIVER_UNKNOWN

typedef struct GuestOs {
    const char *name, *alias;
    ViommuDriver intel, amd, smmuv3, virtio_x86_64, virtio_aarch64;
} GuestOs;

/* From the configuration files in the distributions' kernel packages; Debian's virtio rows were booted as well.  The cloud
 * flavours of Debian leave AMD_IOMMU out.  MODULE: the stock initramfs has no virtio-iommu, and without it every PCI
 * device stays in deferred probe. */
static const GuestOs known[] = {
    {"debian11", "bullseye", Y, Y, Y, N, N},      {"debian11-cloud", NULL, Y, N, Y, N, N},
    {"debian12", "bookworm", Y, Y, Y, N, N},      {"debian12-cloud", NULL, Y, N, Y, N, N},
    {"debian13", "trixie", Y, Y, Y, M, M},        {"debian13-cloud", NULL, Y, N, Y, M, M},
    {"debian14", "forky", Y, Y, Y, M, M},         {"debiantesting", "debian-testing", Y, Y, Y, M, M},
    {"debiansid", "sid", Y, Y, Y, M, M},          {"ubuntu22.04", "ubuntu2204", Y, Y, U, Y, U},
    {"ubuntu24.04", "ubuntu2404", Y, Y, U, Y, U}, {"ubuntu25.10", "ubuntu2510", Y, Y, U, Y, U},
    {"ubuntu26.04", "ubuntu2604", Y, Y, U, Y, U}, {"ubuntu26.10", "ubuntu2610", Y, Y, U, Y, U},
};

static const GuestOs *find_os(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        if (g_str_equal(known[i].name, name) || g_strcmp0(known[i].alias, name) == 0)
            return &known[i];
    return NULL;
}

const char *viommu_guest_nearest_os(const char *os, bool *ret_known)
{
    const char *names[G_N_ELEMENTS(known)];
    const GuestOs *same = find_os(os);

    *ret_known = same != NULL;
    /* The distances to all names take longer than the rest of a plan. */
    if (same)
        return same->name;
    for (size_t i = 0; i < G_N_ELEMENTS(known); i++)
        names[i] = known[i].name;
    return viommu_nearest(os, names, G_N_ELEMENTS(names));
}

/* The kernel's own names of the drivers, next to the models they drive. */
static const struct {
    const char *word;
    ViommuModel model;
} driver_words[] = {
    {"intel-iommu", VIOMMU_MODEL_INTEL},   {"intel_iommu", VIOMMU_MODEL_INTEL},
    {"arm-smmu-v3", VIOMMU_MODEL_SMMUV3},  {"arm_smmu_v3", VIOMMU_MODEL_SMMUV3},
    {"virtio-iommu", VIOMMU_MODEL_VIRTIO}, {"virtio_iommu", VIOMMU_MODEL_VIRTIO},
    {"amd-iommu", VIOMMU_MODEL_AMD},       {"amd_iommu", VIOMMU_MODEL_AMD},
};

int viommu_guest_driver_model(const char *word)
{
    for (size_t i = 0; i < G_N_ELEMENTS(driver_words); i++)
        if (g_str_equal(driver_words[i].word, word))
            return (int)driver_words[i].model;
    return viommu_enum_from_string(&viommu_enum_model, word);
}

static ViommuDriver os_driver(const GuestOs *os, ViommuArch arch, ViommuModel model)
{
    switch (model) {
    case VIOMMU_MODEL_INTEL:
        return os->intel;
    case VIOMMU_MODEL_AMD:
        return os->amd;
    case VIOMMU_MODEL_SMMUV3:
        return os->smmuv3;
    case VIOMMU_MODEL_VIRTIO:
        return arch == VIOMMU_ARCH_X86_64 ? os->virtio_x86_64 : os->virtio_aarch64;
    case VIOMMU_MODEL_NONE:
    case VIOMMU_MODEL_LAST:
        break;
    }
    return VIOMMU_DRIVER_UNKNOWN;
}

static ViommuVersion least_kernel(ViommuArch arch, ViommuModel model)
{
    static const ViommuFactId rows[VIOMMU_MODEL_LAST] = {VIOMMU_FACT_INTEL, VIOMMU_FACT_SMMUV3,
                                                         VIOMMU_FACT_VIRTIO_X86_64, VIOMMU_FACT_AMD};

    if (model == VIOMMU_MODEL_VIRTIO && arch == VIOMMU_ARCH_AARCH64)
        return viommu_fact(VIOMMU_FACT_VIRTIO_AARCH64)->guest_kernel;
    return viommu_fact(rows[model])->guest_kernel;
}

static bool listed(char **drivers, ViommuModel model)
{
    for (char **word = drivers; *word; word++)
        if (viommu_guest_driver_model(*word) == (int)model)
            return true;
    return false;
}

ViommuDriver viommu_guest_driver(const ViommuRequest *request, ViommuArch arch, ViommuModel model,
                                 char **ret_why)
{
    const char *name = viommu_model_to_string(model);
    const GuestOs *os = request->guest.os ? find_os(request->guest.os) : NULL;
    ViommuDriver driver = os ? os_driver(os, arch, model) : VIOMMU_DRIVER_UNKNOWN;

    /* What the caller knows of the guest stands above what we know of its distribution. */
    if (request->guest.drivers) {
        bool has = listed(request->guest.drivers, model);

        *ret_why = g_strdup_printf("guest.drivers %s '%s'", has ? "names" : "does not name", name);
        return has ? VIOMMU_DRIVER_YES : VIOMMU_DRIVER_NO;
    }
    if (request->guest.kernel && request->guest.kernel < least_kernel(arch, model)) {
        g_autofree char *least = viommu_version_format_short(least_kernel(arch, model));
        g_autofree char *has = viommu_version_format_short(request->guest.kernel);

        *ret_why =
            g_strdup_printf("the guest's driver for '%s' needs Linux %s or newer, but guest.kernel is '%s'",
                            name, least, has);
        return VIOMMU_DRIVER_NO;
    }
    *ret_why = NULL;
    if (driver == VIOMMU_DRIVER_NO)
        *ret_why = g_strdup_printf("the kernel of guest.os '%s' has no driver for '%s' on %s",
                                   request->guest.os, name, viommu_arch_to_string(arch));
    else if (driver == VIOMMU_DRIVER_MODULE)
        *ret_why = g_strdup_printf(
            "the driver for '%s' is a module that the stock initramfs of guest.os '%s' lacks: "
            "without it no PCI device is found, the root disk neither",
            name, request->guest.os);
    else if (driver == VIOMMU_DRIVER_YES)
        *ret_why = g_strdup_printf("the kernel of guest.os '%s' drives '%s'", request->guest.os, name);
    return driver;
}
