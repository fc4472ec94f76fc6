/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach: three values, and the words for them. */
#include "lib/machine/reach.h"

VIOMMU_ENUM_DEFINE(reach, "way to a guest", VIOMMU_REACH_LAST, "forwards", "vsock", "addresses");

void viommu_reach_clear(ViommuReach *reach)
{
    g_clear_pointer(&reach->forwards, g_array_unref);
    g_clear_pointer(&reach->addresses, g_strfreev);
    reach->vsock_cid = 0;
}

static bool same_texts(char **a, char **b)
{
    static char *none[] = {NULL};

    return g_strv_equal((const char *const *)(a ? a : none), (const char *const *)(b ? b : none));
}

bool viommu_reach_equal(const ViommuReach *a, const ViommuReach *b)
{
    return a->vsock_cid == b->vsock_cid && viommu_forwards_equal(a->forwards, b->forwards) &&
           same_texts(a->addresses, b->addresses);
}

char *viommu_reach_kinds_to_text(uint64_t kinds)
{
    GString *text = g_string_new(NULL);

    for (int kind = 0; kind < VIOMMU_REACH_LAST; kind++)
        if (kinds & VIOMMU_BIT(kind))
            g_string_append_printf(text, "%s%s", text->len ? " " : "",
                                   viommu_enum_to_string(&viommu_enum_reach, kind));
    return g_string_free(text, text->len == 0);
}

uint64_t viommu_reach_kinds_from_text(const char *text)
{
    g_auto(GStrv) words = g_strsplit(text ? text : "", " ", -1);
    uint64_t kinds = 0;

    for (char **word = words; *word; word++) {
        int kind = viommu_enum_from_string(&viommu_enum_reach, *word);

        if (kind != VIOMMU_UNSET)
            kinds |= VIOMMU_BIT(kind);
    }
    return kinds;
}
