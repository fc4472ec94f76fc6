/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker: a bounded pool of threads for what may block; what is done is finished on the loop.  Users take turns, and of each user only so
 * much runs at once: what one user's files, guests or machines make wait leaves threads for the others.
 * Takes values and gives values back; knows nothing of guests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/process/loop.h"

typedef struct ViommuWorker ViommuWorker;

/* Something that was given to a worker; it is gone when its done function has begun. */
typedef struct ViommuJob ViommuJob;

/** Runs on a thread of the pool.  Touches @data only; @data belongs to it until it returns. */
typedef void (*ViommuWorkFunc)(void *data);
/** Runs on the loop afterwards; @data belongs to it, it frees it. */
typedef void (*ViommuDoneFunc)(void *data);

/* For whom work is done that is nobody's: as much as there are threads for runs at once. */
#define VIOMMU_WORKER_NOBODY UINT32_MAX

/* How many threads may be replaced, as they hang, in each worker.  libvirtd has 20 of its own for what hangs (max_workers). */
#define VIOMMU_WORKER_ABANDONED_MAX 8u

/** @loop must outlive the worker.  @n_threads at least 1; threads are started when needed.  @n_per_user: how much of one user's work
 *  runs at once; 0: as much as there are threads for.  Fails: INTERNAL. */
bool viommu_worker_new(ViommuLoop *loop, unsigned n_threads, unsigned n_per_user, ViommuWorker **ret_worker,
                       GError **error);
/** Waits for all that was queued or runs, then calls the done functions that are left, so that every @data is freed.
 *  Loop thread. */
void viommu_worker_free(ViommuWorker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuWorker, viommu_worker_free)

/** Queues @work of user @uid; each user's work first come, first served.  @done is called exactly once.  Loop thread.  Borrowed. */
ViommuJob *viommu_worker_run(ViommuWorker *worker, uint32_t uid, ViommuWorkFunc work, ViommuDoneFunc done,
                             void *data);
/** @job takes too long: another thread takes its place, and it counts no more for its user, until it is done after all.
 *  False: too many hang already; nothing has changed.  Loop thread. */
bool viommu_worker_abandon(ViommuJob *job);
/** How many were given and are not done yet: the caller's limit is the caller's affair. Loop thread. */
unsigned viommu_worker_pending(const ViommuWorker *worker);
/** Finishes what is given, until @end_usec of the monotonic clock; true: nothing is left.  For the end: the loop does not run any more.
 *  Loop thread. */
bool viommu_worker_settle(ViommuWorker *worker, gint64 end_usec);
