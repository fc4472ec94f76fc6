/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/guest/off-words.h"

#include <glib.h>
#include "lib/base/cmdline.h"

#define DMA       VIOMMU_OFF_DMA
#define INTERRUPT (VIOMMU_OFF_INTERRUPTS | VIOMMU_OFF_MANY_CPUS)
#define X86       VIOMMU_ARCH_X86_64
#define ARM       VIOMMU_ARCH_AARCH64
#define ANY       VIOMMU_UNSET

/* Documentation/admin-guide/kernel-parameters.txt; Linux 6.12 under QEMU 7.2 was booted with each.
 * "iommu=off" leaves virtio and interrupt remapping as they are.  The last module_blacklist is the
 * only one (Linux 6.12 kernel/module/main.c); modprobe adds up its own, and so does dracut. */
static const struct {
    const char *word, *undone_by; /* this word later in the line undoes it; NULL: none does */
    int arch;                     /* ViommuArch; ANY: both */
    int model;                    /* ViommuModel; ANY: all */
    unsigned effects;
    bool by_acpi; /* only where ACPI describes the IOMMU */
    bool module;  /* only where the driver may be a module */
} rows[] = {
    {"intel_iommu=off", "intel_iommu=on", X86, VIOMMU_MODEL_INTEL, DMA, false, false},
    {"amd_iommu=off", NULL, X86, VIOMMU_MODEL_AMD, DMA | INTERRUPT, false, false},
    {"iommu=off", NULL, X86, VIOMMU_MODEL_INTEL, DMA, false, false},
    {"iommu=off", NULL, X86, VIOMMU_MODEL_AMD, DMA, false, false},
    {"nolapic", NULL, X86, VIOMMU_MODEL_INTEL, DMA, false, false},
    {"nolapic", NULL, X86, ANY, INTERRUPT, false, false},
    {"disableapic", NULL, X86, VIOMMU_MODEL_INTEL, DMA, false, false},
    {"disableapic", NULL, X86, ANY, INTERRUPT, false, false},
    {"pci=off", NULL, X86, ANY, DMA, false, false},
    {"acpi=off", "acpi=force", X86, ANY, DMA | INTERRUPT, true, false},
    {"acpi=off", NULL, ARM, ANY, DMA, true, false},
    {"module_blacklist=virtio_iommu", "module_blacklist=", ANY, VIOMMU_MODEL_VIRTIO, DMA, false, true},
    {"modprobe.blacklist=virtio_iommu", NULL, ANY, VIOMMU_MODEL_VIRTIO, DMA, false, true},
    {"modprobe.blacklist=virtio-iommu", NULL, ANY, VIOMMU_MODEL_VIRTIO, DMA, false, true},
    {"rd.driver.blacklist=virtio_iommu", NULL, ANY, VIOMMU_MODEL_VIRTIO, DMA, false, true},
    {"rd.driver.blacklist=virtio-iommu", NULL, ANY, VIOMMU_MODEL_VIRTIO, DMA, false, true},
    {"intremap=off", "intremap=on", X86, ANY, INTERRUPT, false, false},
    {"nointremap", "intremap=on", X86, ANY, INTERRUPT, false, false},
    {"noapic", "apic", X86, ANY, INTERRUPT, false, false},
    {"nosmp", NULL, X86, ANY, INTERRUPT, false, false},
    {"maxcpus=0", NULL, X86, ANY, INTERRUPT, false, false},
    {"nox2apic", NULL, X86, ANY, VIOMMU_OFF_MANY_CPUS, false, false},
};

const char *viommu_off_word(const ViommuOffQuestion *question)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if ((rows[i].effects & question->effects) &&
            (rows[i].arch == ANY || rows[i].arch == (int)question->arch) &&
            (rows[i].model == ANY || rows[i].model == (int)question->model) &&
            (!rows[i].by_acpi || question->by_acpi) && (!rows[i].module || question->may_be_module) &&
            viommu_cmdline_says(question->cmdline, rows[i].word, rows[i].undone_by))
            return rows[i].word;
    return NULL;
}
