/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* news: the table of what each kind of news means.  A new kind is one more row. */
#include "lib/machine/news.h"

#include <glib.h>

#define NONE VIOMMU_EVENT_LAST

/* clang-format off */
static const ViommuNewsMeaning meanings[] = {
                                 /* connection, event,        ends, failure, by_itself */
    [VIOMMU_NEWS_CONNECTED]    = {true,  NONE,                        false, false, false},
    [VIOMMU_NEWS_DISCONNECTED] = {true,  NONE,                        false, false, false},
    [VIOMMU_NEWS_DEFINED]      = {false, NONE,                        false, false, false},
    [VIOMMU_NEWS_STARTED]      = {false, VIOMMU_EVENT_STARTED,        false, false, false},
    [VIOMMU_NEWS_SHUTDOWN]     = {false, VIOMMU_EVENT_GUEST_ENDED,    true,  false, true},
    /* Without a stop under way viommud did not destroy it; during a stop this news is hidden. */
    [VIOMMU_NEWS_DESTROYED]    = {false, VIOMMU_EVENT_GUEST_CRASHED,  true,  true,  false},
    [VIOMMU_NEWS_CRASHED]      = {false, VIOMMU_EVENT_GUEST_CRASHED,  true,  true,  true},
    [VIOMMU_NEWS_PANICKED]     = {false, VIOMMU_EVENT_GUEST_PANICKED, true,  true,  true},
    [VIOMMU_NEWS_UNDEFINED]    = {false, VIOMMU_EVENT_VANISHED,       false, false, false},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(meanings) == VIOMMU_NEWS_LAST);

const ViommuNewsMeaning *viommu_news_meaning(ViommuNewsKind kind)
{
    return &meanings[kind];
}
