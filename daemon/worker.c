/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker: GThreadPool in front, the loop's queue behind.  Does not know what the work is. */
#include "daemon/worker.h"

#include "lib/error.h"

typedef struct Job {
    ViommuWorker *worker;
    ViommuWorkFunc work;
    ViommuDoneFunc done;
    void *data;
} Job;

struct ViommuWorker {
    ViommuLoop *loop;
    GThreadPool *pool; /* NULL while freeing: work is then run in place */
    unsigned pending;  /* loop thread only */
};

static void finish_job(void *data)
{
    Job *job = data;

    job->worker->pending--;
    job->done(job->data);
    g_free(job);
}

static void run_job(void *data, void *userdata)
{
    Job *job = data;

    job->work(job->data);
    viommu_loop_post(job->worker->loop, finish_job, job);
}

bool viommu_worker_new(ViommuLoop *loop, unsigned n_threads, ViommuWorker **ret_worker, GError **error)
{
    g_autofree ViommuWorker *worker = g_new0(ViommuWorker, 1);
    g_autoptr(GError) cause = NULL;

    g_return_val_if_fail(n_threads > 0, false);
    worker->loop = loop;
    worker->pool = g_thread_pool_new(run_job, worker, (int)n_threads, FALSE, &cause);
    if (!worker->pool) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL, "cannot start worker threads: %s",
                    cause->message);
        return false;
    }
    *ret_worker = g_steal_pointer(&worker);
    return true;
}

void viommu_worker_free(ViommuWorker *worker)
{
    if (!worker)
        return;
    g_thread_pool_free(g_steal_pointer(&worker->pool), FALSE, TRUE);
    viommu_loop_drain(worker->loop);
    g_assert(worker->pending == 0);
    g_free(worker);
}

void viommu_worker_run(ViommuWorker *worker, ViommuWorkFunc work, ViommuDoneFunc done, void *data)
{
    Job *job = g_new(Job, 1);

    *job = (Job){worker, work, done, data};
    worker->pending++;
    /* Pushing to a pool that takes any number of waiting tasks fails only when a thread cannot be started; the task
     * is queued even then and another thread takes it. */
    if (worker->pool)
        g_thread_pool_push(worker->pool, job, NULL);
    else
        run_job(job, NULL);
}

unsigned viommu_worker_pending(const ViommuWorker *worker)
{
    return worker->pending;
}
