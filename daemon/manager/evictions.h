/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evictions: ends guests while overlays leave too little of their file system free, one after the
 * other, and lets guests run on that paused because it was full.  Overlays are sparse, and guests
 * may fill them at any time, so viommud looks each second as long as there are overlays.  Loop
 * thread; a worker looks, and others end. */
#pragma once

#include "daemon/files/copies-ledger.h"
#include "daemon/libvirt/backend.h"
#include "daemon/machines/registry.h"
#include "daemon/process/loop.h"
#include "daemon/process/workers.h"

typedef struct ViommuEvictions ViommuEvictions;

/* A guest that is ended has so much time to give its room back, before viommud chooses again, maybe
 * the same. */
#define VIOMMU_EVICTIONS_END_SEC 20u

/* All borrowed. */
typedef struct ViommuEvictionsContext {
    ViommuLoop *loop;
    ViommuWorkers workers;
    ViommuBackend *backend;
    ViommuRegistry *registry;
    const ViommuLedger *ledger;
    const char *copies;     /* directory of daemon/files/boot-copies.h */
    uint64_t reserve_bytes; /* 0: viommud does not look */
    /* ends a machine that is being stopped at once */
    void (*hurry)(ViommuMachine *machine, void *userdata);
    void *userdata;
} ViommuEvictionsContext;

/** Owned. */
ViommuEvictions *viommu_evictions_new(const ViommuEvictionsContext *context);
/** Free the workers first. */
void viommu_evictions_free(ViommuEvictions *evictions);

/** There may be overlays now: looks each second until there are none. */
void viommu_evictions_watch(ViommuEvictions *evictions);
/** Why viommud ends the guest of @uuid; NULL: it does not.  Borrowed. */
const char *viommu_evictions_words(const ViommuEvictions *evictions, const char *uuid);
