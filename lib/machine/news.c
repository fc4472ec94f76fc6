/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* news: the table of what each kind of news means.  A new kind is one more row. */
#include "lib/machine/news.h"

#include <glib.h>

#define NONE      VIOMMU_EVENT_LAST
#define AS_BEFORE VIOMMU_PAUSE_LAST

/* clang-format off */
static const ViommuNewsMeaning meanings[] = {
                                 /* connection, event, ends, failure, by_itself, keeps, pause */
    [VIOMMU_NEWS_CONNECTED]    = {true,  NONE,                        false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_DISCONNECTED] = {true,  NONE,                        false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_DEFINED]      = {false, NONE,                        false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_STARTED]      = {false, VIOMMU_EVENT_STARTED,        false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_SHUTDOWN]     = {false, VIOMMU_EVENT_GUEST_ENDED,    true,  false, true,  false, AS_BEFORE},
    /* Without a stop under way viommud did not destroy it; during a stop this news is hidden. */
    [VIOMMU_NEWS_DESTROYED]    = {false, VIOMMU_EVENT_GUEST_CRASHED,  true,  true,  false, false, AS_BEFORE},
    [VIOMMU_NEWS_CRASHED]      = {false, VIOMMU_EVENT_GUEST_CRASHED,  true,  true,  true,  false, AS_BEFORE},
    [VIOMMU_NEWS_PANICKED]     = {false, VIOMMU_EVENT_GUEST_PANICKED, true,  true,  true,  false, AS_BEFORE},
    [VIOMMU_NEWS_UNDEFINED]    = {false, VIOMMU_EVENT_VANISHED,       false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_SUSPENDED]    = {false, NONE, false, false, false, false, VIOMMU_PAUSE_SUSPENDED},
    [VIOMMU_NEWS_IO_ERROR]     = {false, NONE, false, false, false, false, VIOMMU_PAUSE_IO_ERROR},
    [VIOMMU_NEWS_HALTED]       = {false, NONE, false, false, false, false, VIOMMU_PAUSE_OTHER},
    [VIOMMU_NEWS_RESUMED]      = {false, NONE, false, false, false, false, VIOMMU_PAUSE_NONE},
    [VIOMMU_NEWS_REBOOTED]     = {false, NONE, false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_DEVICE_REMOVED] = {false, NONE, false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_DEVICE_KEPT]  = {false, NONE, false, false, false, false, AS_BEFORE},
    [VIOMMU_NEWS_SAVED]        = {false, VIOMMU_EVENT_GUEST_SAVED,    true,  false, true,  true,  AS_BEFORE},
};
/* clang-format on */
G_STATIC_ASSERT(G_N_ELEMENTS(meanings) == VIOMMU_NEWS_LAST);

const ViommuNewsMeaning *viommu_news_meaning(ViommuNewsKind kind)
{
    return &meanings[kind];
}
