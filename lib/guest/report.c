/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report: a table of keys.  A line that is not as the script prints it, such as one that another
 * output tore apart on the console, shows nothing. */
#include "lib/guest/report.h"

#include <string.h>

#include "lib/base/pci-address.h"

VIOMMU_ENUM_DEFINE(outside, "reason of a device outside", VIOMMU_OUTSIDE_LAST, "no-group", "virtio",
                   "identity", "other");

VIOMMU_ENUM_DEFINE(isolation, "outcome of a forbidden DMA", VIOMMU_ISOLATION_LAST, "fault", "none",
                   "no-device", "in-use", "no-group", "no-log", "locked");

static const char *const outside_texts[] = {
    [VIOMMU_OUTSIDE_NO_GROUP] = "in no IOMMU group",
    [VIOMMU_OUTSIDE_VIRTIO] = "virtio without iommu_platform",
    [VIOMMU_OUTSIDE_IDENTITY] = "in a group of type identity",
    [VIOMMU_OUTSIDE_OTHER] = "in a group of another type",
};
G_STATIC_ASSERT(G_N_ELEMENTS(outside_texts) == VIOMMU_OUTSIDE_LAST);

/* The kernel's words. */
static const char *const register_files[] = {
    [VIOMMU_REPORT_INTEL_CAP] = "intel-iommu/cap",
    [VIOMMU_REPORT_INTEL_ECAP] = "intel-iommu/ecap",
    [VIOMMU_REPORT_AMD_FEATURES] = "amd-iommu/features",
};
G_STATIC_ASSERT(G_N_ELEMENTS(register_files) == VIOMMU_REPORT_REGISTER_LAST);
static const char *const group_types[] = {
    [VIOMMU_GROUP_TYPE_DMA] = "DMA",
    [VIOMMU_GROUP_TYPE_DMA_FQ] = "DMA-FQ",
    [VIOMMU_GROUP_TYPE_IDENTITY] = "identity",
    [VIOMMU_GROUP_TYPE_BLOCKED] = "blocked",
    [VIOMMU_GROUP_TYPE_UNMANAGED] = "unmanaged",
    [VIOMMU_GROUP_TYPE_UNKNOWN] = "unknown",
};
G_STATIC_ASSERT(G_N_ELEMENTS(group_types) == VIOMMU_GROUP_TYPE_LAST);

#define VALUE_MAX 4096u

typedef struct Reader {
    ViommuReport *report;
    GPtrArray *iommus, *tables, *drivers, *outside;
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
    g_strfreev(report->outside);
    g_free(report);
}

uint64_t viommu_report_typed_groups(const ViommuReport *report)
{
    uint64_t n = 0;

    for (int type = 0; type < VIOMMU_GROUP_TYPE_LAST; type++)
        n += report->types[type];
    return n;
}

bool viommu_report_is_whole(const ViommuReport *report, bool has_remapping)
{
    uint64_t typed = viommu_report_typed_groups(report), outside = 0;

    for (size_t i = 0; i < VIOMMU_OUTSIDE_LAST; i++)
        outside += report->outside_by[i];
    /* An older script prints no types. */
    return typed == 0 || (typed == report->groups && report->untranslated == outside &&
                          (!has_remapping || report->remaps != VIOMMU_UNSET));
}

const char *viommu_report_interrupts(const ViommuReport *report)
{
    if (report->remaps != 1)
        return report->remaps == 0 ? "direct" : NULL;
    if (report->x2apic == VIOMMU_UNSET)
        return "remapped";
    return report->x2apic ? "remapped-x2apic" : "remapped-xapic";
}

/* --- Keys --- */

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

static void take_kernel(const Reader *reader, const char *value)
{
    set_text(&reader->report->kernel, value);
}

static void take_cmdline(const Reader *reader, const char *value)
{
    set_text(&reader->report->cmdline, value);
}

static void take_iommu(const Reader *reader, const char *value)
{
    add_name(reader->iommus, value);
}

static void take_table(const Reader *reader, const char *value)
{
    add_name(reader->tables, value);
}

static void take_driver(const Reader *reader, const char *value)
{
    add_name(reader->drivers, value);
}

static void take_groups(const Reader *reader, const char *value)
{
    reader->report->groups = as_number(value);
}

static void take_devices(const Reader *reader, const char *value)
{
    reader->report->devices = as_number(value);
}

static void take_untranslated(const Reader *reader, const char *value)
{
    guint64 number = 0;

    /* A number that does not arrive agrees with no list. */
    reader->report->untranslated =
        g_ascii_string_to_unsigned(value, 10, 0, UINT32_MAX, &number, NULL) ? number : UINT32_MAX;
}

static void take_acpi(const Reader *reader, const char *value)
{
    reader->report->acpi = g_str_equal(value, "yes");
}

static void take_devicetree(const Reader *reader, const char *value)
{
    reader->report->devicetree = g_str_equal(value, "yes");
}

static void take_type(const Reader *reader, const char *value)
{
    size_t type = 0;

    while (type < VIOMMU_GROUP_TYPE_UNKNOWN && !g_str_equal(group_types[type], value))
        type++;
    reader->report->types[type]++;
}

/* "0000:00:03.0 virtio" */
static void take_outside(const Reader *reader, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, " ", 2);
    ViommuPciAddress address;
    g_autofree char *text = NULL;
    int why;

    if (g_strv_length(parts) != 2 || !viommu_pci_address_parse(parts[0], &address))
        return;
    why = viommu_enum_from_string(&viommu_enum_outside, parts[1]);
    if (why == VIOMMU_UNSET)
        why = VIOMMU_OUTSIDE_OTHER;
    reader->report->outside_by[why]++;
    text = g_strdup_printf("%s (%s)", parts[0], outside_texts[why]);
    add_name(reader->outside, text);
}

/* In Linux 6.1 and newer two registers, "EFR2:EFR" or, since 6.7, "EFR:EFR2":
 * amd_iommu_show_features().  QEMU's EFR2 is 0, and its EFR is not. */
static bool read_features(const char *text, guint64 *ret_value)
{
    g_auto(GStrv) parts = g_strsplit(text, ":", 3);
    guint64 values[2] = {0, 0};

    if (g_strv_length(parts) > 2)
        return false;
    for (size_t i = 0; parts[i]; i++)
        if (!g_ascii_string_to_unsigned(parts[i], 16, 0, UINT64_MAX, &values[i], NULL))
            return false;
    if (values[0] && values[1])
        return false;
    *ret_value = values[0] | values[1];
    return true;
}

/* "dmar0 intel-iommu/cap d2008c222f0606".  All IOMMUs of a guest are alike: the first counts. */
static void take_register(const Reader *reader, const char *value)
{
    g_auto(GStrv) parts = g_strsplit(value, " ", 3);
    guint64 number;
    size_t which = 0;

    if (g_strv_length(parts) != 3)
        return;
    while (which < VIOMMU_REPORT_REGISTER_LAST && !g_str_equal(register_files[which], parts[1]))
        which++;
    if (which == VIOMMU_REPORT_REGISTER_LAST || reader->report->registers[which].shown ||
        !read_features(parts[2], &number))
        return;
    reader->report->registers[which].shown = true;
    reader->report->registers[which].value = number;
}

static void take_interrupts(const Reader *reader, const char *value)
{
    if (g_str_equal(value, "remapped"))
        reader->report->remaps = 1;
    else if (g_str_equal(value, "direct"))
        reader->report->remaps = 0;
}

static void take_mode(const Reader *reader, const char *value)
{
    if (g_str_equal(value, "x2apic"))
        reader->report->x2apic = 1;
    else if (g_str_equal(value, "xapic"))
        reader->report->x2apic = 0;
}

static void take_isolation(const Reader *reader, const char *value)
{
    reader->report->isolation = viommu_enum_from_string(&viommu_enum_isolation, value);
}

/* The number after @word, up to the end of the line or @unit. */
static bool read_after(const char *line, const char *word, const char *unit, guint base, guint64 *ret_value)
{
    const char *found = strstr(line, word);
    g_autofree char *text = found ? g_strdup(found + strlen(word)) : NULL;

    if (!text)
        return false;
    if (!g_str_has_suffix(text, unit))
        return false;
    text[strlen(text) - strlen(unit)] = '\0';
    return g_ascii_string_to_unsigned(text, base, 0, UINT64_MAX, ret_value, NULL);
}

/* A line of the kernel's log: viommu_probe(), intel_enable_irq_remapping() and print_iommu_info()
 * of Linux. */
static void take_log(const Reader *reader, const char *value)
{
    ViommuReport *report = reader->report;
    guint64 number;

    if (strstr(value, "virtio_iommu ") && read_after(value, ": input address: ", " bits", 10, &number))
        report->width_bits = number;
    else if (strstr(value, "virtio_iommu ") && read_after(value, ": page mask: 0x", "", 16, &number))
        report->page_mask = number;
    else if (strstr(value, "DMAR-IR: Enabled IRQ remapping in x2apic mode") ||
             strstr(value, "AMD-Vi: X2APIC enabled"))
        report->x2apic = 1;
    else if (strstr(value, "DMAR-IR: Enabled IRQ remapping in xapic mode"))
        report->x2apic = 0;
}

static const struct {
    const char *key;
    void (*take)(const Reader *reader, const char *value);
} keys[] = {
    {"kernel", take_kernel},
    {"cmdline", take_cmdline},
    {"iommu", take_iommu},
    {"register", take_register},
    {"type", take_type},
    {"groups", take_groups},
    {"devices", take_devices},
    {"outside", take_outside},
    {"untranslated", take_untranslated},
    {"interrupts", take_interrupts},
    {"log", take_log},
    {"mode", take_mode},
    {"table", take_table},
    {"acpi", take_acpi},
    {"devicetree", take_devicetree},
    {"driver", take_driver},
    {"isolation", take_isolation},
};

/* --- Lines --- */

static char *take_value(const char *text, size_t size)
{
    char *value = g_strstrip(g_strndup(text, MIN(size, VALUE_MAX)));

    for (char *at = value; *at; at++)
        if (!g_ascii_isprint(*at))
            *at = '?';
    return value;
}

/* An unknown key belongs to a later script. */
static void take_line(const Reader *reader, const char *line, size_t size)
{
    g_autofree char *text = take_value(line, size);
    char *blank = strchr(text, ' ');

    if (!blank)
        return;
    *blank = '\0';
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++)
        if (g_str_equal(keys[i].key, text))
            keys[i].take(reader, g_strstrip(blank + 1));
}

static char **finish_names(GPtrArray *names)
{
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

static ViommuReport *read_lines(const char *text, const char *end)
{
    ViommuReport *report = g_new0(ViommuReport, 1);
    Reader reader = {report, g_ptr_array_new(), g_ptr_array_new(), g_ptr_array_new(), g_ptr_array_new()};

    report->kernel = g_strdup("");
    report->cmdline = g_strdup("");
    report->remaps = report->x2apic = report->isolation = VIOMMU_UNSET;
    report->width_bits = report->untranslated = VIOMMU_UNSET_NUMBER;
    for (const char *line = text; line < end;) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        size_t size = (size_t)((newline ? newline : end) - line);
        take_line(&reader, line, size);
        line += size + 1;
    }
    report->iommus = finish_names(reader.iommus);
    report->tables = finish_names(reader.tables);
    report->drivers = finish_names(reader.drivers);
    report->outside = finish_names(reader.outside);
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
