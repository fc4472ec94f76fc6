/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: one worker for each kind of waiting.  Decides their threads and each user's share of
 * them. Does not know the work. */
#pragma once

#include "daemon/process/worker.h"

/* Each kind of work has threads of its own, so that none waits for another kind. */
typedef struct ViommuWorkers {
    ViommuWorker *launches; /* steps of launches, which wait for libvirt, QEMU and files */
    ViommuWorker *ends;     /* removals of machines, and changes of their metadata */
    ViommuWorker *calls;    /* calls that a running QEMU can delay */
    ViommuWorker *agents;   /* calls that a guest can delay; each user has one at a time */
    ViommuWorker *host;     /* questions to the host, for all users */
    ViommuWorker *proofs;   /* proofs of KVM, which hang where KVM does */
    ViommuWorker *accounts; /* the system's user database, which may be on another host */
} ViommuWorkers;

typedef struct ViommuWorkersSizes {
    unsigned threads;           /* of launches, of ends and of calls, each */
    unsigned agents;            /* threads for guests' agents */
    unsigned launches_per_user; /* 0: all */
    bool one_user;              /* the daemon serves one user, who has all threads */
} ViommuWorkersSizes;

/** @ret_workers: the workers that were made, also on failure; viommu_workers_clear().  Fails:
 *  INTERNAL. */
bool viommu_workers_new(ViommuLoop *loop, const ViommuWorkersSizes *sizes, ViommuWorkers *ret_workers,
                        GError **error);
/** Finishes tasks of all until @end_usec of the monotonic clock; see viommu_worker_settle().  True:
 *  no task is left. */
bool viommu_workers_settle(ViommuWorkers *workers, gint64 end_usec);
/** The number of tasks that were given to any and are not done. */
unsigned viommu_workers_pending(ViommuWorkers *workers);
/** Frees those that were made, after all their tasks, and those that these give to any of them. */
void viommu_workers_clear(ViommuWorkers *workers);
/** How many threads of these workers call libvirt at once, without those for agents. */
unsigned viommu_workers_callers(const ViommuWorkersSizes *sizes);
