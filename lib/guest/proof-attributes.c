/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof-attributes: a table of what shows each attribute. */
#include "lib/guest/proof-attributes.h"

#include <string.h>

/* What a guest shows of one attribute; VIOMMU_UNSET_NUMBER: nothing. */
typedef struct Source Source;
typedef uint64_t (*See)(const Source *source, const ViommuReport *report);
struct Source {
    const char *key;
    ViommuModel model;
    const char *where; /* in messages */
    See see;
    int which; /* ViommuReportRegister */
    unsigned shift, bits;
};

static uint64_t see_register(const Source *source, const ViommuReport *report)
{
    return report->registers[source->which].shown
               ? report->registers[source->which].value >> source->shift & ((UINT64_C(1) << source->bits) - 1)
               : VIOMMU_UNSET_NUMBER;
}

static uint64_t see_any_bit(const Source *source, const ViommuReport *report)
{
    uint64_t value = see_register(source, report);

    return value == VIOMMU_UNSET_NUMBER ? value : value != 0;
}

static uint64_t see_one_more(const Source *source, const ViommuReport *report)
{
    uint64_t value = see_register(source, report);

    return value == VIOMMU_UNSET_NUMBER ? value : value + 1;
}

static uint64_t see_width(const Source *source, const ViommuReport *report)
{
    return report->width_bits;
}

/* The smallest page is the lowest bit. */
static uint64_t see_granule(const Source *source, const ViommuReport *report)
{
    return report->page_mask ? report->page_mask & -report->page_mask : VIOMMU_UNSET_NUMBER;
}

static uint64_t see_number(const Source *source, const ViommuReport *report)
{
    return g_strv_length(report->iommus);
}

/* A kernel that leaves the interrupts alone shows nothing of this IOMMU. */
static uint64_t see_remapped(const Source *source, const ViommuReport *report)
{
    return report->remaps == 1 ? 1 : VIOMMU_UNSET_NUMBER;
}

#define CAP      "intel-iommu/cap", see_register, VIOMMU_REPORT_INTEL_CAP
#define ECAP     "intel-iommu/ecap", see_register, VIOMMU_REPORT_INTEL_ECAP
#define FEATURES "amd-iommu/features", see_register, VIOMMU_REPORT_AMD_FEATURES

/* Bits: ecap_ir_support(), ecap_eim_support(), ecap_dev_iotlb_support(), cap_caching_mode(),
 * cap_sagaw() and cap_mgaw() of drivers/iommu/intel/iommu.h, FEATURE_X2APIC of
 * drivers/iommu/amd/amd_iommu_types.h in Linux; VTD_CAP_* and VTD_ECAP_* of
 * hw/i386/intel_iommu_internal.h in QEMU, which leaves SAGAW empty without DMA translation.
 * QEMU sets IOTLBSUP of an AMD IOMMU in any case, so its iotlb cannot be seen. */
static const Source sources[] = {
    {"intremap", VIOMMU_MODEL_INTEL, ECAP, 3, 1},
    {"eim", VIOMMU_MODEL_INTEL, ECAP, 4, 1},
    {"iotlb", VIOMMU_MODEL_INTEL, ECAP, 2, 1},
    {"caching-mode", VIOMMU_MODEL_INTEL, CAP, 7, 1},
    {"dma-translation", VIOMMU_MODEL_INTEL, "intel-iommu/cap", see_any_bit, VIOMMU_REPORT_INTEL_CAP, 8, 5},
    {"aw-bits", VIOMMU_MODEL_INTEL, "intel-iommu/cap", see_one_more, VIOMMU_REPORT_INTEL_CAP, 16, 6},
    {"xtsup", VIOMMU_MODEL_AMD, FEATURES, 2, 1},
    {"intremap", VIOMMU_MODEL_AMD, "chips of interrupts", see_remapped, 0, 0, 0},
    {"aw-bits", VIOMMU_MODEL_VIRTIO, "kernel's log", see_width, 0, 0, 0},
    {"granule", VIOMMU_MODEL_VIRTIO, "kernel's log", see_granule, 0, 0, 0},
    {"count", VIOMMU_MODEL_SMMUV3, "/sys/class/iommu", see_number, 0, 0, 0},
};

/* Other words of a plan. */
static const char *const other_keys[] = {"translate", "outside", "level", "units", NULL};

static const Source *find_source(ViommuModel model, const char *key)
{
    for (size_t i = 0; i < G_N_ELEMENTS(sources); i++)
        if (sources[i].model == model && g_str_equal(sources[i].key, key))
            return &sources[i];
    return NULL;
}

/* VIOMMU_UNSET_NUMBER: it cannot be compared, such as "host". */
static uint64_t planned_number(const char *value)
{
    guint64 number;

    if (g_str_equal(value, "on") || g_str_equal(value, "off"))
        return g_str_equal(value, "on");
    return g_ascii_string_to_unsigned(value, 10, 0, UINT64_MAX, &number, NULL) ? number : VIOMMU_UNSET_NUMBER;
}

/* In the words of the plan. */
static char *seen_text(uint64_t seen, const char *planned)
{
    if (g_str_equal(planned, "on") || g_str_equal(planned, "off"))
        return g_strdup(seen ? "on" : "off");
    return g_strdup_printf("%" G_GUINT64_FORMAT, seen);
}

typedef struct Lists {
    GPtrArray *shown, *not_shown;
} Lists;

/* A difference in words, or NULL. */
static char *compare_one(const Source *source, const char *key, const char *value, const ViommuReport *report,
                         const Lists *lists)
{
    uint64_t seen = source ? source->see(source, report) : VIOMMU_UNSET_NUMBER;
    uint64_t planned = planned_number(value);
    g_autofree char *text = NULL;

    if (seen == VIOMMU_UNSET_NUMBER || planned == VIOMMU_UNSET_NUMBER) {
        g_ptr_array_add(lists->not_shown, g_strdup(key));
        return NULL;
    }
    if (seen == planned) {
        g_ptr_array_add(lists->shown, g_strdup_printf("%s=%s", key, value));
        return NULL;
    }
    text = seen_text(seen, value);
    return g_strdup_printf(
        "its %s is %s in the guest's %s, but %s in the plan: the domain was changed since, or this QEMU did not make the IOMMU as libvirt asked it to",
        key, text, source->where, value);
}

static char **finish(GPtrArray *texts)
{
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}

ViommuProofAttributes viommu_proof_attributes_compare(ViommuModel model, const char *planned,
                                                      const ViommuReport *report)
{
    g_auto(GStrv) words = g_strsplit(planned ? planned : "", " ", -1);
    const Lists lists = {g_ptr_array_new(), g_ptr_array_new()};
    char *difference = NULL;

    for (char **word = words; *word; word++) {
        char *equals = strchr(*word, '=');

        if (!equals)
            continue;
        *equals = '\0';
        if (!g_strv_contains(other_keys, *word) && !difference)
            difference = compare_one(find_source(model, *word), *word, equals + 1, report, &lists);
    }
    /* Their bits say what the IOMMU can do.  What the kernel uses it says elsewhere, or not. */
    if (report->x2apic == VIOMMU_UNSET && report->remaps == 1 && viommu_proof_wants_x2apic(planned))
        g_ptr_array_add(lists.not_shown, g_strdup("x2apic"));
    return (ViommuProofAttributes){finish(lists.shown), finish(lists.not_shown), difference};
}

void viommu_proof_attributes_clear(ViommuProofAttributes *attributes)
{
    g_clear_pointer(&attributes->shown, g_strfreev);
    g_clear_pointer(&attributes->not_shown, g_strfreev);
    g_clear_pointer(&attributes->difference, g_free);
}

bool viommu_proof_wants_x2apic(const char *planned)
{
    g_autofree char *eim = viommu_proof_planned(planned, "eim"),
                    *xtsup = viommu_proof_planned(planned, "xtsup");

    return g_strcmp0(eim, "on") == 0 || g_strcmp0(xtsup, "on") == 0;
}

char *viommu_proof_planned(const char *planned, const char *key)
{
    g_auto(GStrv) words = g_strsplit(planned ? planned : "", " ", -1);
    size_t length = strlen(key);

    for (char **word = words; *word; word++)
        if (strncmp(*word, key, length) == 0 && (*word)[length] == '=')
            return g_strdup(*word + length + 1);
    return NULL;
}
