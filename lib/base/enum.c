/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enum: value to word and back, and the words as a list. */
#include "lib/base/enum.h"

const char *viommu_enum_to_string(const ViommuEnum *table, int value)
{
    return value >= 0 && value < table->last ? table->words[value] : NULL;
}

int viommu_enum_from_string(const ViommuEnum *table, const char *word)
{
    for (int value = 0; word && value < table->last; value++)
        if (g_str_equal(table->words[value], word))
            return value;
    return VIOMMU_UNSET;
}

char *viommu_enum_list(const ViommuEnum *table)
{
    GString *list = g_string_new(NULL);

    for (int value = 0; value < table->last; value++)
        g_string_append_printf(list, "%s%s", value ? ", " : "", table->words[value]);
    return g_string_free(list, FALSE);
}
