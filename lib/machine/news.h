/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* news: the kinds of news that libvirt has of a domain, and what each one means for a machine.
 * Does not know libvirt's own events, or what is done about them. */
#pragma once

#include <stdbool.h>
#include "lib/machine/lifecycle.h"

typedef enum ViommuNewsKind {
    VIOMMU_NEWS_CONNECTED,    /* the event connection stands: list and settle */
    VIOMMU_NEWS_DISCONNECTED, /* libvirt's daemon ended.  Answer from the cache. */
    VIOMMU_NEWS_DEFINED,      /* for the first time */
    VIOMMU_NEWS_STARTED,
    VIOMMU_NEWS_SHUTDOWN,  /* the guest powered itself off */
    VIOMMU_NEWS_DESTROYED, /* somebody (maybe viommud) destroyed it */
    VIOMMU_NEWS_CRASHED,
    VIOMMU_NEWS_PANICKED,
    VIOMMU_NEWS_UNDEFINED,
    VIOMMU_NEWS_LAST,
} ViommuNewsKind;

typedef struct ViommuNewsMeaning {
    bool connection;   /* the news is about the connection to libvirt, not about a domain */
    ViommuEvent event; /* of the machine; VIOMMU_EVENT_LAST: none */
    bool ends;         /* the guest has ended */
    bool failure;      /* it ended without a power-off: the last lines of its console tell why */
    bool by_itself;    /* it ended without a call of viommud: a stop need not wait any longer */
} ViommuNewsMeaning;

/** The row of @kind.  Static. */
const ViommuNewsMeaning *viommu_news_meaning(ViommuNewsKind kind);
