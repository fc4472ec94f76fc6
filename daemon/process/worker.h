/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker: a bounded pool of threads for work that may block; the loop finishes what the threads
 * did.  Users take turns, and each user has only a share of the threads, so that the files, guests
 * or machines of one user leave threads for other users.  Takes and returns values; knows nothing
 * of guests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/process/loop.h"

typedef struct ViommuWorker ViommuWorker;

/* Work that was given to a worker; freed before its done function begins. */
typedef struct ViommuTask ViommuTask;

/** Runs on a thread of the pool.  Uses @data only, and owns it until it returns. */
typedef void (*ViommuWorkFunc)(void *data);
/** Runs on the loop afterwards; owns @data and frees it. */
typedef void (*ViommuDoneFunc)(void *data);

/* The uid for work of no user; such tasks may use all threads at once. */
#define VIOMMU_WORKER_NOBODY UINT32_MAX

/* How many hanging threads each worker replaces.  libvirtd has 20 threads that can hang
 * (max_workers). */
#define VIOMMU_WORKER_ABANDONED_MAX 8u

/** @loop must outlive the worker.  @n_threads: at least 1; threads start when they are needed.
 *  @n_per_user: how many tasks of one user run at once; 0: as many as there are threads.
 *  Fails: INTERNAL. */
bool viommu_worker_new(ViommuLoop *loop, unsigned n_threads, unsigned n_per_user, ViommuWorker **ret_worker,
                       GError **error);
/** Waits for all tasks, and then calls the done functions that are left, so that every @data is
 *  freed.  Loop thread. */
void viommu_worker_free(ViommuWorker *worker);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuWorker, viommu_worker_free)

/** Queues @work of user @uid; tasks of one user run in their order.  Calls @done exactly once.
 *  Loop thread.  Borrowed. */
ViommuTask *viommu_worker_run(ViommuWorker *worker, uint32_t uid, ViommuWorkFunc work, ViommuDoneFunc done,
                              void *data);
/** @task takes too long: another thread takes its place, and the task does not count for its user
 *  any more.  False: too many tasks hang already, and nothing has changed.  Loop thread. */
bool viommu_worker_abandon(ViommuTask *task);
/** The number of tasks that were given and are not done.  The caller limits them.  Loop thread. */
unsigned viommu_worker_pending(const ViommuWorker *worker);
/** Finishes tasks until @end_usec of the monotonic clock.  True: no task is left.  For the end,
 *  when the loop does not run any more.  Loop thread. */
bool viommu_worker_settle(ViommuWorker *worker, gint64 end_usec);
