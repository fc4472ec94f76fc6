/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quantity: text to bytes and back.  Knows units, not what is measured. */
#include "lib/base/quantity.h"

#include <string.h>

#include "lib/base/error.h"

static const struct {
    const char *name;
    uint64_t bytes;
} units[] = {
    {"", 1},
    {"B", 1},
    {"K", VIOMMU_KIB},
    {"KiB", VIOMMU_KIB},
    {"KB", 1000},
    {"M", VIOMMU_MIB},
    {"MiB", VIOMMU_MIB},
    {"MB", 1000 * 1000},
    {"G", VIOMMU_GIB},
    {"GiB", VIOMMU_GIB},
    {"GB", 1000 * 1000 * 1000},
    {"T", 1024 * VIOMMU_GIB},
    {"TiB", 1024 * VIOMMU_GIB},
    {"TB", (uint64_t)1000 * 1000 * 1000 * 1000},
};

/* Largest first. */
static const struct {
    const char *name;
    uint64_t bytes;
} binary_units[] = {
    {"TiB", 1024 * VIOMMU_GIB}, {"GiB", VIOMMU_GIB}, {"MiB", VIOMMU_MIB}, {"KiB", VIOMMU_KIB}, {"B", 1},
};

static bool fail_overflow(const char *text, GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "size '%s' does not fit 64 bits", text);
}

bool viommu_quantity_parse(const char *text, uint64_t *ret_bytes, GError **error)
{
    const char *rest = text;
    uint64_t number = 0, bytes;

    for (; g_ascii_isdigit(*rest); rest++)
        if (!viommu_quantity_mul_add(number, 10, (uint64_t)(*rest - '0'), &number))
            return fail_overflow(text, error);
    if (rest == text)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "size '%s' is not valid; write a whole number, with a unit if needed, such as '512 MiB'", text);
    const char *unit = rest;
    while (*unit == ' ')
        unit++;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (g_ascii_strcasecmp(unit, units[i].name) != 0 || (unit != rest && !*unit))
            continue;
        if (!viommu_quantity_mul_add(number, units[i].bytes, 0, &bytes))
            return fail_overflow(text, error);
        *ret_bytes = bytes;
        return true;
    }
    if (strchr(".,", *rest) && g_ascii_isdigit(rest[1]))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "size '%s' is not a whole number; write it in a smaller unit, such as '1536 MiB' for 1.5 GiB",
            text);
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "size '%s' has an unknown unit; use B, KiB, MiB, GiB, TiB, KB, MB, GB or TB", text);
}

char *viommu_quantity_format(uint64_t bytes)
{
    size_t i = 0;

    while (binary_units[i].bytes > 1 && (bytes == 0 || bytes % binary_units[i].bytes != 0))
        i++;
    return g_strdup_printf("%" G_GUINT64_FORMAT " %s", bytes / binary_units[i].bytes, binary_units[i].name);
}

uint64_t viommu_quantity_kib(uint64_t bytes)
{
    return bytes / VIOMMU_KIB + (bytes % VIOMMU_KIB != 0);
}

bool viommu_quantity_mul_add(uint64_t a, uint64_t b, uint64_t c, uint64_t *ret)
{
    uint64_t product, sum;

    if (__builtin_mul_overflow(a, b, &product) || __builtin_add_overflow(product, c, &sum))
        return false;
    *ret = sum;
    return true;
}
