/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: one worker for each kind of waiting.  Decides their threads and each user's share of
 * them.  Does not know the work. */
#pragma once

#include "daemon/process/worker.h"

/* Threads of their own for each kind of work, so that none waits for another kind. */
typedef struct ViommuWorkers {
    ViommuWorker *launches; /* the steps of launches, which wait for libvirt, QEMU and files */
    ViommuWorker *ends;     /* what ends machines, and what is written into their records */
    ViommuWorker *calls;    /* what a running QEMU can make wait */
    ViommuWorker *agents;   /* what a guest can make wait; each user has one question at a time */
    ViommuWorker *host;     /* what is asked of the host, for everybody */
    ViommuWorker *accounts; /* the system's user database, which may be on another host */
} ViommuWorkers;

typedef struct ViommuWorkersSizes {
    unsigned threads;           /* of launches, of ends and of calls */
    unsigned agents;            /* threads for guests' agents */
    unsigned launches_per_user; /* 0: all */
    bool one_user;              /* the daemon serves one user, who has all threads */
} ViommuWorkersSizes;

/** @ret_workers: what could be made, also on failure; the caller frees each worker.  Fails:
 *  INTERNAL. */
bool viommu_workers_new(ViommuLoop *loop, const ViommuWorkersSizes *sizes, ViommuWorkers *ret_workers,
                        GError **error);
/** How many threads of these workers call libvirt at once, agents' threads aside. */
unsigned viommu_workers_callers(const ViommuWorkersSizes *sizes);
