/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* off-words: the words of Linux's command line that switch an IOMMU or interrupt remapping off. */
#pragma once

#include "lib/base/platform.h"

/* What a word switches off; bits. */
typedef enum ViommuOffEffect {
    VIOMMU_OFF_DMA = 1,        /* the driver translates no DMA: no IOMMU groups */
    VIOMMU_OFF_INTERRUPTS = 2, /* interrupts are not remapped */
    VIOMMU_OFF_MANY_CPUS = 4,  /* interrupts do not reach CPUs with an APIC id above 254 */
} ViommuOffEffect;

typedef struct ViommuOffQuestion {
    const char *cmdline; /* NULL: not known */
    ViommuArch arch;
    ViommuModel model;
    unsigned effects;   /* bits of ViommuOffEffect */
    bool by_acpi;       /* ACPI describes the IOMMU, not a device tree */
    bool may_be_module; /* the driver is, or may be, a module */
} ViommuOffQuestion;

/** The word that has one of the effects; NULL: none. Static. */
const char *viommu_off_word(const ViommuOffQuestion *question);
