/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers: makes each worker from one table. */
#include "daemon/process/workers.h"

/* Threads for questions to the host, for all users. */
#define HOST_THREADS 2u
/* One proof at a time. */
#define PROOF_THREADS 1u
/* For look-ups of users; each user has at most one. */
#define ACCOUNT_THREADS 4u

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
