/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config-print: sets the values in force for "auto", and prints all values.  Does not know how
 * they are read. */
#include "daemon/process/config-internal.h"

static uint64_t *number_at(const ViommuConfig *config, size_t offset)
{
    return (uint64_t *)(void *)((char *)config + offset);
}

void viommu_config_bound(ViommuConfig *config, const ViommuBoundsHost *host)
{
    const ViommuConfigRow *row;

    viommu_bounds_derive(host, config->policy.default_memory_bytes, &config->bounds);
    for (unsigned i = 0; (row = viommu_config_row(i)); i++)
        if (row->bound && *number_at(config, row->offset) != VIOMMU_LIMIT_AUTO)
            *number_at(config, row->bound) = *number_at(config, row->offset);
}

GVariant *viommu_config_limits(const ViommuConfig *config)
{
    const ViommuConfigRow *row;
    GVariantBuilder limits;

    g_variant_builder_init(&limits, G_VARIANT_TYPE_VARDICT);
    for (unsigned i = 0; (row = viommu_config_row(i)); i++)
        if (g_str_equal(row->name.group, "limits"))
            g_variant_builder_add(
                &limits, "{sv}", row->name.key,
                g_variant_new_uint64(*number_at(config, row->bound ? row->bound : row->offset)));
    return g_variant_builder_end(&limits);
}

GVariant *viommu_config_used(const ViommuAmounts *used)
{
    const size_t all = offsetof(ViommuConfig, bounds.limits.all);
    const ViommuConfigRow *row;
    GVariantBuilder amounts;

    g_variant_builder_init(&amounts, G_VARIANT_TYPE_VARDICT);
    for (unsigned i = 0; (row = viommu_config_row(i)); i++)
        if (row->bound >= all && row->bound < all + sizeof(used->all))
            g_variant_builder_add(&amounts, "{sv}", row->name.key,
                                  g_variant_new_uint64(used->all[(row->bound - all) / sizeof(uint64_t)]));
    return g_variant_builder_end(&amounts);
}

static const char *words_of(const ViommuConfigRow *row)
{
    size_t all = offsetof(ViommuConfig, limits.all), user = offsetof(ViommuConfig, limits.user);

    if (row->offset >= user && row->offset < user + sizeof(((ViommuConfig *)NULL)->limits.user))
        return viommu_bounds_words((ViommuResource)((row->offset - user) / sizeof(uint64_t)), true);
    if (row->offset >= all && row->offset < user)
        return viommu_bounds_words((ViommuResource)((row->offset - all) / sizeof(uint64_t)), false);
    return row->offset == offsetof(ViommuConfig, disk_reserve_bytes) ? viommu_bounds_reserve_words()
                                                                     : viommu_bounds_log_words();
}

/* "; in force: 22 GiB (HOW)"; empty for a value that is not derived from the
 * host's size.  Owned. */
static char *describe_bound(const ViommuConfig *config, const ViommuConfigRow *row)
{
    g_autofree char *value = NULL;

    if (!row->bound || *number_at(config, row->offset) != VIOMMU_LIMIT_AUTO)
        return g_strdup("");
    if (*number_at(config, row->bound) == 0)
        return g_strdup("; in force: no limit");
    value = row->kind->format(row, number_at(config, row->bound));
    return g_strdup_printf("; in force: %s (%s)", value, words_of(row));
}

char *viommu_config_print(const ViommuConfig *config)
{
    GString *text = g_string_new(NULL);
    const ViommuConfigRow *row;
    const char *group = "";

    for (unsigned i = 0; (row = viommu_config_row(i)); i++) {
        g_autofree char *value = row->kind->format(row, (const char *)config + row->offset);
        g_autofree char *bound = describe_bound(config, row);
        const char *place = g_hash_table_lookup(config->places, (const char *)config + row->offset);

        if (!g_str_equal(group, row->name.group))
            g_string_append_printf(text, "%s[%s]\n", i ? "\n" : "", row->name.group);
        group = row->name.group;
        g_string_append_printf(text, "# %s%s\n%s=%s\n", place ? place : "default", bound, row->name.key,
                               value);
    }
    viommu_config_print_sections(config, text);
    return g_string_free(text, FALSE);
}
