/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-iommu: the host's IOMMUs as the kernel names them, their kinds and widths, and whether
 * interrupts are remapped. */
#include <stdlib.h>
#include <string.h>

#include "lib/host/topology-internal.h"

/* VT-d 11.4.2, Capability Register: MGAW is the widest address of a request, SAGAW the depths of
 * page tables; the smaller one counts, and each has been seen to be smaller. */
uint64_t viommu_iommu_width_intel(uint64_t cap)
{
    static const uint64_t depths[] = {30, 39, 48, 57, 64};
    uint64_t gaw = ((cap >> 16) & 0x3f) + 1, depth = 0;

    for (size_t i = 0; i < G_N_ELEMENTS(depths); i++)
        if (cap >> 8 & (uint64_t)1 << i)
            depth = depths[i];
    /* Without page tables it only remaps interrupts. */
    return depth == 0 ? VIOMMU_UNSET_NUMBER : MIN(gaw, depth);
}

static bool parse_hexadecimal(const char *text, uint64_t *ret_number)
{
    return g_ascii_string_to_unsigned(text, 16, 0, G_MAXUINT64, ret_number, NULL);
}

/* AMD 48882, MMIO 0030h: HATS, bits 11:10, is the depth of the host's page tables.  Kernels up to
 * 5.10 print EFR alone, 5.11 to 6.6 EFR2:EFR, later ones EFR:EFR2; EFR has bits everywhere, EFR2
 * only few and low ones. */
uint64_t viommu_iommu_width_amd(const char *features)
{
    static const uint64_t widths[] = {48, 57, 64, VIOMMU_UNSET_NUMBER};
    g_auto(GStrv) words = g_strsplit(features, ":", 3);
    uint64_t efr = 0;

    for (char **word = words; *word; word++) {
        uint64_t number;

        if (!parse_hexadecimal(*word, &number))
            return VIOMMU_UNSET_NUMBER;
        efr = MAX(efr, number);
    }
    /* The oldest units have no such register. */
    return efr == 0 ? VIOMMU_UNSET_NUMBER : widths[efr >> 10 & 3];
}

/* VT-d 11.4.3, Extended Capability Register */
#define ECAP_INTERRUPT_REMAPPING ((uint64_t)1 << 3)

static void read_intel(const ViommuRoot *root, ViommuHostIommu *iommu)
{
    g_autofree char *cap = viommu_root_text(root, "sys/class/iommu/%s/intel-iommu/cap", iommu->name);
    g_autofree char *ecap = viommu_root_text(root, "sys/class/iommu/%s/intel-iommu/ecap", iommu->name);
    uint64_t number;

    iommu->kind = VIOMMU_IOMMU_KIND_INTEL;
    if (cap && parse_hexadecimal(cap, &number))
        iommu->width_bits = viommu_iommu_width_intel(number);
    if (ecap && parse_hexadecimal(ecap, &number))
        iommu->interrupt_remapping = (number & ECAP_INTERRUPT_REMAPPING) != 0;
}

static void read_amd(const ViommuRoot *root, ViommuHostIommu *iommu)
{
    g_autofree char *features = viommu_root_text(root, "sys/class/iommu/%s/amd-iommu/features", iommu->name);

    iommu->kind = VIOMMU_IOMMU_KIND_AMD;
    if (features)
        iommu->width_bits = viommu_iommu_width_amd(features);
}

static void read_iommu(const ViommuRoot *root, ViommuHostIommu *iommu)
{
    g_autofree char *driver = viommu_root_link(root, "sys/class/iommu/%s/device/driver", iommu->name);

    if (viommu_root_exists(root, "sys/class/iommu/%s/intel-iommu", iommu->name))
        read_intel(root, iommu);
    else if (viommu_root_exists(root, "sys/class/iommu/%s/amd-iommu", iommu->name))
        read_amd(root, iommu);
    else if (g_str_has_prefix(iommu->name, "smmu3."))
        iommu->kind = VIOMMU_IOMMU_KIND_SMMUV3;
    else if (g_str_has_prefix(iommu->name, "smmu."))
        iommu->kind = VIOMMU_IOMMU_KIND_SMMU;
    else if (g_strcmp0(driver, "virtio_iommu") == 0)
        iommu->kind = VIOMMU_IOMMU_KIND_VIRTIO;
    else
        iommu->kind = VIOMMU_IOMMU_KIND_OTHER;
}

/* --- Interrupts --- */

/* The most interrupts that are read; the first ones show all kinds of chips. */
#define INTERRUPTS_MAX 512

/* Names of interrupt chips that remap interrupts, and of chips on the same machines that do not:
 * Linux 6.12 arch/x86/kernel/apic (IR-IO-APIC, IR-PCI-MSI-...), drivers/irqchip (an ITS knows the
 * writing device; GICv2m does not). */
static const struct {
    const char *beginning;
    bool remapped;
} chips[] = {
    {"IR-", true},      {"ITS-", true},      {"IO-APIC", false},
    {"PCI-MSI", false}, {"PCI-MSIX", false}, {"GICv2m", false},
};

static int chip_remaps(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(chips); i++)
        if (g_str_has_prefix(name, chips[i].beginning))
            return chips[i].remapped;
    return VIOMMU_UNSET;
}

/* An AMD IOMMU's own interrupt is remapped only if the kernel remaps interrupts. */
static void read_interrupts(const ViommuRoot *root, ViommuTopology *topology)
{
    g_auto(GStrv) numbers = viommu_root_list(root, "sys/kernel/irq");

    for (size_t i = 0; numbers && numbers[i] && i < INTERRUPTS_MAX; i++) {
        g_autofree char *name = viommu_root_text(root, "sys/kernel/irq/%s/chip_name", numbers[i]);
        int remaps = name ? chip_remaps(name) : VIOMMU_UNSET;

        topology->interrupt_remapping = MAX(topology->interrupt_remapping, remaps);
        if (remaps == 1)
            return;
    }
}

/* dmar2 before dmar10. */
static int compare_iommus(const void *a, const void *b)
{
    return strverscmp((*(ViommuHostIommu *const *)a)->name, (*(ViommuHostIommu *const *)b)->name);
}

void viommu_topology_read_iommus(const ViommuRoot *root, ViommuTopology *topology)
{
    g_auto(GStrv) names = viommu_root_list(root, "sys/class/iommu");

    for (size_t i = 0; names && names[i] && i < VIOMMU_TOPOLOGY_IOMMUS_MAX; i++) {
        ViommuHostIommu *iommu;

        if (!viommu_fields_is_text(names[i]))
            continue;
        iommu = viommu_topology_add(&topology->iommus, &viommu_topology_iommu_fields);
        iommu->name = g_strdup(names[i]);
        read_iommu(root, iommu);
    }
    if (topology->iommus)
        g_ptr_array_sort(topology->iommus, compare_iommus);
    read_interrupts(root, topology);
}
