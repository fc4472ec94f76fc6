/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* usage-keeper: what running guests take of the host.  However many clients ask, libvirt has one
 * question at a time, about all guests, and its answer serves all callers for a moment.  Loop
 * thread. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/machines/registry.h"
#include "daemon/machines/reply.h"
#include "daemon/process/worker.h"

typedef struct ViommuUsageKeeper ViommuUsageKeeper;

/* How old an answer of libvirt may be. */
#define VIOMMU_USAGE_AGE_USEC (G_USEC_PER_SEC / 2)

/* All borrowed.  @calls: the worker that asks. */
typedef struct ViommuUsageContext {
    ViommuWorker *calls;
    ViommuBackend *backend;
    ViommuRegistry *registry;
} ViommuUsageContext;

/** Owned. */
ViommuUsageKeeper *viommu_usage_keeper_new(const ViommuUsageContext *context);
/** No question may be under way: free the worker first. */
void viommu_usage_keeper_free(ViommuUsageKeeper *keeper);

/** See viommu_manager_read_usage(). */
void viommu_usage_keeper_read(ViommuUsageKeeper *keeper, const uint32_t *owner, const ViommuWaiter *waiter);
