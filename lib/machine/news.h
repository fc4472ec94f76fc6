/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* news: the kinds of news from libvirt about a domain, and what each means for a machine.  Knows
 * neither libvirt's own events nor what is done about the news. */
#pragma once

#include <stdbool.h>
#include "lib/machine/lifecycle.h"
#include "lib/machine/pause.h"

typedef enum ViommuNewsKind {
    VIOMMU_NEWS_CONNECTED,    /* the event connection works: list the domains and reconcile */
    VIOMMU_NEWS_DISCONNECTED, /* libvirt's daemon ended: answer from the cache */
    VIOMMU_NEWS_DEFINED,      /* for the first time */
    VIOMMU_NEWS_STARTED,
    VIOMMU_NEWS_SHUTDOWN,  /* the guest powered itself off */
    VIOMMU_NEWS_DESTROYED, /* somebody, maybe viommud, destroyed it */
    VIOMMU_NEWS_CRASHED,
    VIOMMU_NEWS_PANICKED,
    VIOMMU_NEWS_UNDEFINED,
    VIOMMU_NEWS_SUSPENDED, /* somebody, maybe viommud in a launch, paused it */
    VIOMMU_NEWS_IO_ERROR,  /* it is paused, because a disk failed */
    VIOMMU_NEWS_HALTED,    /* it is paused for another reason */
    VIOMMU_NEWS_RESUMED,
    VIOMMU_NEWS_REBOOTED, /* the guest, or somebody, reset it */
    /* the detail is the alias of a device: the guest has it no more, or does not give it back */
    VIOMMU_NEWS_DEVICE_REMOVED,
    VIOMMU_NEWS_DEVICE_KEPT,
    VIOMMU_NEWS_SAVED, /* somebody saved it: it does not run, and libvirt can restore it */
    VIOMMU_NEWS_LAST,
} ViommuNewsKind;

typedef struct ViommuNewsMeaning {
    bool connection;   /* the news is about the connection to libvirt, not about a domain */
    ViommuEvent event; /* the event for the machine; VIOMMU_EVENT_LAST: none */
    bool ends;         /* the guest has ended */
    /* the guest ended without a power-off: the last lines of its console tell why */
    bool failure;
    /* the guest ended without a call of viommud: a stop need not wait any longer */
    bool by_itself;
    /* the guest may be restored: its files are needed again */
    bool keeps;
    ViommuPause pause; /* the guest is paused, or NONE: runs again; VIOMMU_PAUSE_LAST: as before */
} ViommuNewsMeaning;

/** The row of @kind.  Static. */
const ViommuNewsMeaning *viommu_news_meaning(ViommuNewsKind kind);
