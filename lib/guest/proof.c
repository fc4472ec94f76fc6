/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: reads lines into a report, and judges the report by what each model needs. */
#include "lib/guest/proof.h"

#include <string.h>

#include "lib/base/pci-address.h"
#include "lib/guest/off-words.h"

VIOMMU_ENUM_DEFINE(proof, "verdict on a proof", VIOMMU_PROOF_LAST, "proven", "pending", "disproved");

/* --- Reading --- */

#define VALUE_MAX 4096u

typedef struct Reader {
    ViommuReport *report;
    GPtrArray *iommus, *tables, *drivers;
} Reader;

void viommu_report_free(ViommuReport *report)
{
    if (!report)
        return;
    g_free(report->kernel);
    g_free(report->cmdline);
    g_strfreev(report->iommus);
    g_strfreev(report->tables);
    g_strfreev(report->drivers);
    g_free(report);
}

static char *take_value(const char *text, size_t size)
{
    char *value = g_strstrip(g_strndup(text, MIN(size, VALUE_MAX)));

    for (char *at = value; *at; at++)
        if (!g_ascii_isprint(*at))
            *at = '?';
    return value;
}

static void add_name(GPtrArray *names, const char *value)
{
    if (*value && names->len < VIOMMU_REPORT_NAMES_MAX)
        g_ptr_array_add(names, g_strdup(value));
}

static void set_text(char **text, const char *value)
{
    g_free(*text);
    *text = g_strdup(value);
}

/* Without a number there are no groups. */
static uint64_t as_number(const char *value)
{
    guint64 number = 0;

    return g_ascii_string_to_unsigned(value, 10, 0, UINT32_MAX, &number, NULL) ? number : 0;
}

/* An unknown key belongs to a later script. */
static void take_pair(const Reader *reader, const char *key, const char *value)
{
    ViommuReport *report = reader->report;

    if (g_str_equal(key, "kernel"))
        set_text(&report->kernel, value);
    else if (g_str_equal(key, "cmdline"))
        set_text(&report->cmdline, value);
    else if (g_str_equal(key, "iommu"))
        add_name(reader->iommus, value);
    else if (g_str_equal(key, "table"))
        add_name(reader->tables, value);
    else if (g_str_equal(key, "driver"))
        add_name(reader->drivers, value);
    else if (g_str_equal(key, "groups"))
        report->groups = as_number(value);
    else if (g_str_equal(key, "devices"))
        report->devices = as_number(value);
    else if (g_str_equal(key, "acpi"))
        report->acpi = g_str_equal(value, "yes");
    else if (g_str_equal(key, "devicetree"))
        report->devicetree = g_str_equal(value, "yes");
}

static void take_line(const Reader *reader, const char *line, size_t size)
{
    g_autofree char *text = take_value(line, size);
    char *blank = strchr(text, ' ');

    if (!blank)
        return;
    *blank = '\0';
    take_pair(reader, text, g_strstrip(blank + 1));
}

static char **finish_names(GPtrArray *names)
{
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

static ViommuReport *read_lines(const char *text, const char *end)
{
    ViommuReport *report = g_new0(ViommuReport, 1);
    Reader reader = {report, g_ptr_array_new(), g_ptr_array_new(), g_ptr_array_new()};

    report->kernel = g_strdup("");
    report->cmdline = g_strdup("");
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((newline ? newline : end) - line);
        take_line(&reader, line, size);
        line += size + 1;
    }
    report->iommus = finish_names(reader.iommus);
    report->tables = finish_names(reader.tables);
    report->drivers = finish_names(reader.drivers);
    return report;
}

/* The last occurrence of @word in @text. */
static const char *find_last(const char *text, size_t size, const char *word)
{
    const char *found = NULL;

    for (const char *at = text; (at = memmem(at, size - (size_t)(at - text), word, strlen(word))); at++)
        found = at;
    return found;
}

ViommuReport *viommu_report_find(const char *text, size_t size)
{
    const char *end = find_last(text, size, VIOMMU_REPORT_END);
    const char *begin = end ? find_last(text, (size_t)(end - text), VIOMMU_REPORT_BEGIN) : NULL;

    if (!begin || (size_t)(end - begin) > VIOMMU_REPORT_BYTES_MAX)
        return NULL;
    return read_lines(begin + strlen(VIOMMU_REPORT_BEGIN), end);
}

/* --- Judging --- */

static bool is_unit_of_virtio(const char *name)
{
    ViommuPciAddress address;

    return viommu_pci_address_parse(name, &address);
}

static bool is_unit_of_intel(const char *name)
{
    return g_str_has_prefix(name, "dmar");
}

static bool is_unit_of_amd(const char *name)
{
    return g_str_has_prefix(name, "ivhd");
}

static bool is_unit_of_smmuv3(const char *name)
{
    return g_str_has_prefix(name, "smmu3.");
}

/* How a guest's kernel shows each model, and what it needs.  Under libvirt ACPI always describes
 * virtio. */
static const struct Trait {
    bool (*shows)(const char *name);
    const char *table, *driver, *option;
    const char *key;       /* of the command line, which switches it; NULL: none */
    bool or_by_devicetree; /* a device tree describes it when there is no ACPI */
    /* its driver cannot be a module: it binds at boot or never */
    bool early;
} traits[] = {
    [VIOMMU_MODEL_INTEL] = {is_unit_of_intel, "DMAR", "intel-iommu", "CONFIG_INTEL_IOMMU", "intel_iommu",
                            false, true},
    [VIOMMU_MODEL_SMMUV3] = {is_unit_of_smmuv3, "IORT", "arm-smmu-v3", "CONFIG_ARM_SMMU_V3", NULL, true,
                             false},
    [VIOMMU_MODEL_VIRTIO] = {is_unit_of_virtio, "VIOT", "virtio_iommu", "CONFIG_VIRTIO_IOMMU", NULL, false,
                             false},
    [VIOMMU_MODEL_AMD] = {is_unit_of_amd, "IVRS", "amd-iommu", "CONFIG_AMD_IOMMU", "amd_iommu", false, true},
};
G_STATIC_ASSERT(G_N_ELEMENTS(traits) == VIOMMU_MODEL_LAST);

/* Whether @word is the last of @word and @other among the values of @key ("on,sm_on"): the kernel
 * also uses the last one. */
static bool is_switched(const ViommuReport *report, const char *key, const char *word, const char *other)
{
    g_auto(GStrv) words = g_strsplit_set(report->cmdline, " \"", -1);
    size_t length = strlen(key);
    bool found = false;

    for (char **at = words; *at; at++) {
        g_auto(GStrv) parts = NULL;

        if (strncmp(*at, key, length) != 0 || (*at)[length] != '=')
            continue;
        parts = g_strsplit(*at + length + 1, ",", -1);
        if (g_strv_contains((const char *const *)parts, word))
            found = true;
        else if (g_strv_contains((const char *const *)parts, other))
            found = false;
    }
    return found;
}

/* The word that makes the kernel ignore the IOMMU; NULL: none.  Static. */
static const char *find_switch_off(ViommuModel model, const ViommuReport *report)
{
    const struct Trait *trait = &traits[model];
    const ViommuOffQuestion question = {
        .cmdline = report->cmdline,
        .arch = report->devicetree || trait->or_by_devicetree ? VIOMMU_ARCH_AARCH64 : VIOMMU_ARCH_X86_64,
        .model = model,
        .effects = VIOMMU_OFF_DMA,
        .by_acpi = !trait->or_by_devicetree,
        .may_be_module = !g_strv_contains((const char *const *)report->drivers, trait->driver),
    };

    return viommu_off_word(&question);
}

static ViommuProof say(ViommuProofVerdict verdict, char *cause)
{
    return (ViommuProof){verdict, cause};
}

/* The guest shows no IOMMU: finds the cause. */
static ViommuProof judge_absent(ViommuModel model, const ViommuReport *report)
{
    const struct Trait *trait = &traits[model];
    const char *off = find_switch_off(model, report);
    bool has_table = g_strv_contains((const char *const *)report->tables, trait->table);
    bool by_tree = trait->or_by_devicetree && report->devicetree;

    if (off)
        return say(VIOMMU_PROOF_DISPROVED,
                   g_strdup_printf("the kernel's command line disables it: remove '%s'", off));
    if (!report->acpi && !by_tree)
        return say(VIOMMU_PROOF_DISPROVED,
                   g_strdup_printf("no ACPI table %s: the guest runs without ACPI", trait->table));
    if (!has_table && !by_tree)
        return say(VIOMMU_PROOF_DISPROVED,
                   g_strdup_printf("no ACPI table %s: the guest's firmware does not describe the IOMMU",
                                   trait->table));
    if (!g_strv_contains((const char *const *)report->drivers, trait->driver))
        return say(trait->early ? VIOMMU_PROOF_DISPROVED : VIOMMU_PROOF_PENDING,
                   g_strdup_printf("driver missing: kernel '%s' has no %s (%s), or has not loaded it",
                                   report->kernel, trait->driver, trait->option));
    if (trait->key && !is_switched(report, trait->key, "on", "off"))
        return say(
            VIOMMU_PROOF_DISPROVED,
            g_strdup_printf(
                "kernel '%s' has the driver %s, but leaves it off by default: add '%s=on' to its command line",
                report->kernel, trait->driver, trait->key));
    return say(
        VIOMMU_PROOF_PENDING,
        g_strdup_printf("not bound: kernel '%s' has the driver %s, but the driver has not bound to the IOMMU",
                        report->kernel, trait->driver));
}

static char *note_passthrough(const ViommuReport *report)
{
    bool passes =
        is_switched(report, "iommu", "pt", "nopt") || is_switched(report, "iommu.passthrough", "1", "0");

    return passes
               ? g_strdup(
                     "the IOMMU works, but the guest's command line leaves DMA of its devices untranslated (iommu=pt or iommu.passthrough=1)")
               : NULL;
}

ViommuProof viommu_proof_judge(ViommuModel model, const ViommuReport *report)
{
    const char *first = report->iommus[0];

    if (model == VIOMMU_MODEL_NONE)
        return first ? say(VIOMMU_PROOF_DISPROVED,
                           g_strdup_printf("the plan has no IOMMU, but the guest has '%s'", first))
                     : say(VIOMMU_PROOF_PROVEN, NULL);
    if (!first)
        return judge_absent(model, report);
    for (char **name = report->iommus; *name; name++)
        if (traits[model].shows(*name) && report->groups > 0)
            return say(VIOMMU_PROOF_PROVEN, note_passthrough(report));
        else if (traits[model].shows(*name))
            return say(
                VIOMMU_PROOF_PENDING,
                g_strdup_printf("not bound: the guest has '%s', but none of its devices is in an IOMMU group",
                                *name));
    return say(VIOMMU_PROOF_DISPROVED, g_strdup_printf("the guest has '%s' instead of the planned %s", first,
                                                       viommu_model_to_string(model)));
}

void viommu_proof_clear(ViommuProof *proof)
{
    g_clear_pointer(&proof->cause, g_free);
}
