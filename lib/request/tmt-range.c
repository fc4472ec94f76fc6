/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/tmt-range.h"

#include <string.h>

#include "lib/base/condition.h"
#include "lib/base/error.h"
#include "lib/base/quantity.h"

/* As Pint knows them; case matters. */
static const struct {
    const char *symbol, *name;
    uint64_t bytes;
} units[] = {
    {"B", "byte", 1},
    {"kB", "kilobyte", 1000},
    {"MB", "megabyte", 1000 * 1000},
    {"GB", "gigabyte", 1000 * 1000 * 1000},
    {"TB", "terabyte", UINT64_C(1000) * 1000 * 1000 * 1000},
    {"KiB", "kibibyte", VIOMMU_KIB},
    {"MiB", "mebibyte", VIOMMU_MIB},
    {"GiB", "gibibyte", VIOMMU_GIB},
    {"TiB", "tebibyte", 1024 * VIOMMU_GIB},
};

/* 0: unknown. */
static uint64_t find_unit(const char *text, uint64_t without)
{
    if (!*text)
        return without;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        size_t length = strlen(units[i].name);

        if (g_str_equal(text, units[i].symbol) ||
            (strncmp(text, units[i].name, length) == 0 && (!text[length] || g_str_equal(text + length, "s"))))
            return units[i].bytes;
    }
    return 0;
}

/* "1.5 GB"; @unit 0: a whole number alone. */
static bool read_number(const char *name, const char *text, uint64_t unit, uint64_t *ret, GError **error)
{
    g_autofree char *trimmed = g_strstrip(g_strdup(text));
    size_t whole = strspn(trimmed, "0123456789");
    bool has_fraction = unit > 0 && trimmed[whole] == '.';
    size_t length = has_fraction ? whole + 1 + strspn(trimmed + whole + 1, "0123456789") : whole;
    const char *after = trimmed + length + strspn(trimmed + length, " ");
    uint64_t factor = unit ? find_unit(after, unit) : !*after, number, rest = 0;

    if (whole == 0 || whole > 18 || length == whole + 1 || (unit == 0 && factor == 0))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s '%s' is not a number%s", name, text,
                           unit ? ", with a unit if needed, such as '2 GB'" : "");
    if (factor == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s '%s' has an unknown unit; use B, kB, MB, GB, TB, KiB, MiB, GiB or TiB, as they are written here",
            name, text);
    if (has_fraction) {
        g_autofree char *fraction = g_strdup_printf("0%.*s", (int)MIN(length - whole, 16), trimmed + whole);

        rest = (uint64_t)(g_ascii_strtod(fraction, NULL) * (double)factor + 0.5);
    }
    trimmed[whole] = 0;
    if (!viommu_quantity_mul_add(g_ascii_strtoull(trimmed, NULL, 10), factor, rest, &number) ||
        number > VIOMMU_TMT_NUMBER_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "%s '%s' is too large", name, text);
    *ret = number;
    return true;
}

static void narrow(ViommuTmtRange *range, ViommuComparison comparison, uint64_t number)
{
    switch (comparison) {
    case VIOMMU_COMPARISON_EQUAL:
        range->low = MAX(range->low, number);
        range->high = MIN(range->high, number);
        break;
    case VIOMMU_COMPARISON_NOT_EQUAL:
        range->excluded[range->n_excluded++] = number;
        break;
    case VIOMMU_COMPARISON_LESS:
        range->empty = range->empty || number == 0;
        range->high = MIN(range->high, number ? number - 1 : 0);
        break;
    case VIOMMU_COMPARISON_AT_MOST:
        range->high = MIN(range->high, number);
        break;
    case VIOMMU_COMPARISON_GREATER:
        range->low = MAX(range->low, number + 1);
        break;
    case VIOMMU_COMPARISON_AT_LEAST:
        range->low = MAX(range->low, number);
        break;
    case VIOMMU_COMPARISON_MATCH:
    case VIOMMU_COMPARISON_NOT_MATCH:
    case VIOMMU_COMPARISON_LAST:
        g_assert_not_reached();
    }
    range->empty = range->empty || range->low > range->high;
}

bool viommu_tmt_range_narrow(ViommuTmtRange *range, const char *name, const char *text, uint64_t unit,
                             GError **error)
{
    ViommuCondition condition;
    uint64_t value = 0;

    if (!viommu_condition_split_number(name, text, &condition, error) ||
        !read_number(name, condition.value, unit, &value, error))
        return false;
    narrow(range, condition.comparison, value);
    return true;
}

static bool is_excluded(const ViommuTmtRange *range, uint64_t number)
{
    for (guint i = 0; i < range->n_excluded; i++)
        if (range->excluded[i] == number)
            return true;
    return false;
}

uint64_t viommu_tmt_range_pick(const ViommuTmtRange *range, uint64_t step, uint64_t default_)
{
    uint64_t largest = range->high - range->high % step;
    uint64_t number = range->low, less;

    if (number == 0 && default_)
        number = MIN(default_, largest);
    else if (number == 0)
        number = largest;
    else if (number % step && number + (step - number % step) <= range->high)
        number += step - number % step;
    for (less = range->low ? 0 : number; less && is_excluded(range, less);)
        less -= MIN(step, less);
    while (is_excluded(range, number))
        number += step;
    return number > range->high && less ? less : number;
}

uint64_t viommu_tmt_range_reach(const ViommuTmtRange *range, uint64_t number)
{
    uint64_t most = range->high;

    for (guint i = 0; i < range->n_excluded; i++)
        if (range->excluded[i] > number)
            most = MIN(most, range->excluded[i] - 1);
    return most;
}
