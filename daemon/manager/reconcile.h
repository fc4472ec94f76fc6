/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reconcile: brings the registry's machines and libvirt's domains together, by events, and by a
 * listing after events may have been missed.  Knows no bus; lib/domain/recover decides what becomes
 * of a domain. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/registry.h"
#include "daemon/machines/reply.h"
#include "daemon/manager/leftover-copies.h"
#include "daemon/manager/pauses.h"
#include "daemon/process/workers.h"

typedef struct ViommuSettle ViommuSettle;

/** Looks for orphans (daemon/manager/orphans.h) with each listing: guests of domains whose names
 *  begin with @prefix, which is borrowed.  Without this call there are none. */
void viommu_settle_look_for_orphans(ViommuSettle *settle, const char *prefix);
/** The process of a guest that runs on although libvirt has forgotten machine @name; 0: none is
 *  known. */
uint64_t viommu_settle_orphan(ViommuSettle *settle, const char *name);

/** All borrowed.  @workers is copied.  @copies: the directory of daemon/files/boot-copies.h.
 *  Owned. */
ViommuSettle *viommu_settle_new(ViommuRegistry *registry, ViommuBackend *backend,
                                const ViommuWorkers *workers, const char *copies, ViommuRemains *remains);
/** From now on @pauses, which is borrowed, learns of guests that are paused.  Call it before the
 *  first news. */
void viommu_settle_tell_pauses(ViommuSettle *settle, ViommuPauses *pauses);
/** No listing may be under way: free the worker first. */
void viommu_settle_free(ViommuSettle *settle);

/** The launch of @uuid failed and its domain could not be removed: removes the domain when it
 *  appears. */
void viommu_settle_owe(ViommuSettle *settle, const char *uuid);
/** The domain was removed after all. */
void viommu_settle_forgive(ViommuSettle *settle, const char *uuid);
/** News about one domain. */
void viommu_settle_take_news(ViommuSettle *settle, const ViommuNews *news);
/** Lists the domains and reconciles each difference.  Then calls @func, also when libvirt did not
 *  answer; the outcome is empty.  @func may be NULL. */
void viommu_settle_run(ViommuSettle *settle, ViommuOutcomeFunc func, void *userdata);
