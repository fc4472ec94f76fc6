/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker: a bounded pool of threads for what may block; what is done is finished on the loop.
 * Takes values and gives values back; knows nothing of guests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/loop.h"

typedef struct ViommuWorker ViommuWorker;

/** Runs on a thread of the pool.  Touches @data only; @data belongs to it until it returns. */
typedef void (*ViommuWorkFunc)(void *data);
/** Runs on the loop afterwards; @data belongs to it, it frees it. */
typedef void (*ViommuDoneFunc)(void *data);

/** @loop must outlive the worker.  @n_threads at least 1; threads are started when needed.  Fails: INTERNAL. */
bool viommu_worker_new(ViommuLoop *loop, unsigned n_threads, ViommuWorker **ret_worker, GError **error);
/** Waits for all that was queued or runs, then calls the done functions that are left, so that every @data is freed.
 *  Loop thread. */
void viommu_worker_free(ViommuWorker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuWorker, viommu_worker_free)

/** Queues @work; first come, first served.  @done is called exactly once.  Loop thread. */
void viommu_worker_run(ViommuWorker *worker, ViommuWorkFunc work, ViommuDoneFunc done, void *data);
/** How many were given and are not done yet: the caller's limit is the caller's affair. Loop thread. */
unsigned viommu_worker_pending(const ViommuWorker *worker);
