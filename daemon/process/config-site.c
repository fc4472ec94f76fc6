/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config-site: the sections [device NAME], by a table of their own, and the kinds of values for
 * devices. */
#include "daemon/process/config-internal.h"

#include <string.h>

#include "lib/base/error.h"

#define PREFIX "device "

static bool fail(GError **error, const char *text, const char *why)
{
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%.64s' %s", text, why);
}

/* --- Kinds --- */

static bool parse_flag(const ViommuConfigRow *row, const char *text, void *target, GError **error)
{
    if (!g_str_equal(text, "yes") && !g_str_equal(text, "no"))
        return fail(error, text, "is not one of yes, no");
    *(bool *)target = g_str_equal(text, "yes");
    return true;
}

static char *format_flag(const ViommuConfigRow *row, const void *value)
{
    return g_strdup(*(const bool *)value ? "yes" : "no");
}

static bool parse_in_use(const ViommuConfigRow *row, const char *text, void *target, GError **error)
{
    int use = viommu_enum_from_string(&viommu_enum_in_use, text);

    if (use == VIOMMU_UNSET)
        return fail(error, text, "is not one of refuse, root");
    *(bool *)target = use == VIOMMU_IN_USE_ROOT;
    return true;
}

static char *format_in_use(const ViommuConfigRow *row, const void *value)
{
    return g_strdup(viommu_enum_to_string(&viommu_enum_in_use,
                                          *(const bool *)value ? VIOMMU_IN_USE_ROOT : VIOMMU_IN_USE_REFUSE));
}

/* Only [devices] may use the names of [device NAME]: those sections define them. */
static bool parse_selectors(const ViommuConfigRow *row, const char *text, void *target, GError **error)
{
    GPtrArray *selectors;

    if (!viommu_site_parse_selectors(text, g_str_equal(row->name.group, "devices"), &selectors, error))
        return false;
    g_ptr_array_unref(*(GPtrArray **)target);
    *(GPtrArray **)target = selectors;
    return true;
}

static char *format_selectors(const ViommuConfigRow *row, const void *value)
{
    return viommu_site_format_selectors(*(GPtrArray *const *)value);
}

static bool parse_names(const ViommuConfigRow *row, const char *text, void *target, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ";", -1);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

    for (char **word = words; *word; word++) {
        if (strpbrk(g_strstrip(*word), "/,* \t"))
            return fail(error, *word, "is not a name; separate names with semicolons");
        if (**word)
            g_ptr_array_add(names, g_strdup(*word));
    }
    g_ptr_array_add(names, NULL);
    g_strfreev(*(char ***)target);
    *(char ***)target = (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
    return true;
}

static char *format_names(const ViommuConfigRow *row, const void *value)
{
    return g_strjoinv(";", *(char **const *)value);
}

const ViommuConfigKind viommu_config_kind_flag = {parse_flag, format_flag};
const ViommuConfigKind viommu_config_kind_in_use = {parse_in_use, format_in_use};
const ViommuConfigKind viommu_config_kind_selectors = {parse_selectors, format_selectors};
const ViommuConfigKind viommu_config_kind_names = {parse_names, format_names};

/* --- Sections --- */

static const ViommuConfigRow rows[] = {
    {{"device", "match"}, &viommu_config_kind_selectors, offsetof(ViommuSiteDevice, match)},
    {{"device", "group"}, &viommu_config_kind_name, offsetof(ViommuSiteDevice, group)},
    {{"device", "per-user"},
     &viommu_config_kind_number,
     offsetof(ViommuSiteDevice, per_user),
     .min = 0,
     .max = 4096},
};

bool viommu_config_is_section(const char *group)
{
    return g_str_has_prefix(group, PREFIX) || g_str_equal(group, "device");
}

const ViommuConfigRow *viommu_config_section_row(ViommuConfig *config, const char *group, const char *key,
                                                 void **ret_target, GError **error)
{
    g_autofree char *name = g_strdup(group + MIN(strlen(group), strlen(PREFIX)));

    if (!viommu_site_name_is_valid(g_strstrip(name))) {
        fail(error, group, "needs a name after 'device': a letter, then letters, digits, - and _");
        return NULL;
    }
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        if (g_str_equal(rows[i].name.key, key)) {
            *ret_target = (char *)viommu_site_add_device(&config->site, name) + rows[i].offset;
            return &rows[i];
        }
    return NULL;
}

void viommu_config_print_sections(const ViommuConfig *config, GString *text)
{
    for (guint i = 0; i < config->site.devices->len; i++) {
        const ViommuSiteDevice *device = g_ptr_array_index(config->site.devices, i);

        g_string_append_printf(text, "\n[" PREFIX "%s]\n", device->name);
        for (size_t j = 0; j < G_N_ELEMENTS(rows); j++) {
            const char *target = (const char *)device + rows[j].offset;
            g_autofree char *value = rows[j].kind->format(&rows[j], target);
            const char *place = g_hash_table_lookup(config->places, target);

            g_string_append_printf(text, "# %s\n%s=%s\n", place ? place : "default", rows[j].name.key, value);
        }
    }
}

/* A list without devices allows nothing; warn, so that an administrator need not search for the
 * cause. */
void viommu_config_check_sections(ViommuConfig *config)
{
    const ViommuSite *site = &config->site;

    for (guint i = 0; i < site->allow->len; i++) {
        const ViommuDeviceSelector *selector = g_ptr_array_index(site->allow, i);

        if (selector->name && !viommu_site_device(site, selector->name))
            g_ptr_array_add(
                config->warnings,
                g_strdup_printf(
                    "[devices] allow: '%s' allows nothing, because there is no section [device %s]; add it",
                    selector->name, selector->name));
    }
    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *device = g_ptr_array_index(site->devices, i);

        if (device->match->len == 0)
            g_ptr_array_add(
                config->warnings,
                g_strdup_printf(
                    "[device %s] match: the list is empty, so this name stands for no device; list devices",
                    device->name));
    }
}
