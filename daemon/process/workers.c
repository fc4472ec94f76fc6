/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: makes each worker, and ends all together, because they give work to each other. */
#include "daemon/process/workers.h"

/* Threads for questions to the host, for all users. */
#define HOST_THREADS 2u
/* One proof at a time. */
#define PROOF_THREADS 1u
/* For look-ups of users; each user has at most one. */
#define ACCOUNT_THREADS 4u

#define N_WORKERS 7u
G_STATIC_ASSERT(sizeof(ViommuWorkers) == N_WORKERS * sizeof(ViommuWorker *));

bool viommu_workers_new(ViommuLoop *loop, const ViommuWorkersSizes *sizes, ViommuWorkers *ret_workers,
                        GError **error)
{
    unsigned n = sizes->threads, share = sizes->one_user ? 0 : MAX(n / 2, 1);

    return viommu_worker_new(loop, n, sizes->launches_per_user, &ret_workers->launches, error) &&
           viommu_worker_new(loop, n, share, &ret_workers->ends, error) &&
           viommu_worker_new(loop, n, share, &ret_workers->calls, error) &&
           viommu_worker_new(loop, sizes->agents, 0, &ret_workers->agents, error) &&
           viommu_worker_new(loop, HOST_THREADS, 0, &ret_workers->host, error) &&
           viommu_worker_new(loop, PROOF_THREADS, 0, &ret_workers->proofs, error) &&
           viommu_worker_new(loop, ACCOUNT_THREADS, 1, &ret_workers->accounts, error);
}

unsigned viommu_workers_callers(const ViommuWorkersSizes *sizes)
{
    return 3 * sizes->threads + HOST_THREADS + VIOMMU_WORKER_ABANDONED_MAX;
}

static ViommuWorker **worker_at(ViommuWorkers *workers, size_t i)
{
    ViommuWorker **const all[N_WORKERS] = {&workers->agents,  &workers->calls, &workers->launches,
                                           &workers->ends,    &workers->host,  &workers->proofs,
                                           &workers->accounts};

    return all[i];
}

unsigned viommu_workers_pending(ViommuWorkers *workers)
{
    unsigned pending = 0;

    for (size_t i = 0; i < N_WORKERS; i++)
        if (*worker_at(workers, i))
            pending += viommu_worker_pending(*worker_at(workers, i));
    return pending;
}

/* A task of one worker may give work to another, even to one that is settled already, so all are
 * checked until none has work left. */
bool viommu_workers_settle(ViommuWorkers *workers, gint64 end_usec)
{
    do {
        for (size_t i = 0; i < N_WORKERS; i++)
            if (*worker_at(workers, i) && !viommu_worker_settle(*worker_at(workers, i), end_usec))
                return false;
    } while (viommu_workers_pending(workers) > 0);
    return true;
}

void viommu_workers_clear(ViommuWorkers *workers)
{
    (void)viommu_workers_settle(workers, G_MAXINT64);
    for (size_t i = 0; i < N_WORKERS; i++)
        g_clear_pointer(worker_at(workers, i), viommu_worker_free);
}
