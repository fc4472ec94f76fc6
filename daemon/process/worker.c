/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* worker: users take turns at a GThreadPool; finished tasks return through the loop's queue.  Does
 * not know the work. */
#include "daemon/process/worker.h"

#include "lib/base/error.h"
#include "lib/machine/queue.h"

#define SETTLE_WAIT_USEC 2000

struct ViommuTask {
    ViommuWorker *worker;
    uint32_t uid;
    ViommuWorkFunc work;
    ViommuDoneFunc done;
    void *data;
    bool runs, abandoned; /* loop thread only */
};

struct ViommuWorker {
    ViommuLoop *loop;
    GThreadPool *pool; /* NULL while freeing: work is then run in place */
    unsigned n_threads, n_per_user;
    /* Loop thread only: */
    ViommuQueue *waiting; /* of ViommuTask */
    GHashTable *users;    /* uid -> number of running tasks of the user; none: 0 */
    unsigned running, abandoned, pending;
};

static unsigned count_of(const ViommuWorker *worker, uint32_t uid)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(worker->users, GUINT_TO_POINTER(uid)));
}

static void count(ViommuWorker *worker, uint32_t uid, int change)
{
    unsigned n = count_of(worker, uid) + (unsigned)change;

    worker->running += (unsigned)change;
    if (n > 0)
        g_hash_table_insert(worker->users, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(n));
    else
        g_hash_table_remove(worker->users, GUINT_TO_POINTER(uid));
}

static bool may_run(uint32_t uid, void *data)
{
    const ViommuWorker *worker = data;

    return worker->n_per_user == 0 || uid == VIOMMU_WORKER_NOBODY ||
           count_of(worker, uid) < worker->n_per_user;
}

static void run_task(void *data, void *userdata);

static void dispatch(ViommuWorker *worker)
{
    ViommuTask *task;

    while (worker->running < worker->n_threads &&
           (task = viommu_queue_take_if(worker->waiting, may_run, worker))) {
        task->runs = true;
        count(worker, task->uid, 1);
        /* Fails only when a thread cannot be started; the task is queued even then and
         * another thread takes it. */
        if (worker->pool)
            g_thread_pool_push(worker->pool, task, NULL);
        else
            run_task(task, NULL);
    }
}

static void set_threads(ViommuWorker *worker)
{
    if (worker->pool)
        g_thread_pool_set_max_threads(worker->pool, (int)(worker->n_threads + worker->abandoned), NULL);
}

static void finish_task(void *data)
{
    ViommuTask *task = data;
    ViommuWorker *worker = task->worker;

    worker->pending--;
    if (task->abandoned) {
        worker->abandoned--;
        set_threads(worker);
    } else {
        count(worker, task->uid, -1);
    }
    dispatch(worker);
    task->done(task->data);
    g_free(task);
}

static void run_task(void *data, void *userdata)
{
    ViommuTask *task = data;

    task->work(task->data);
    viommu_loop_post(task->worker->loop, finish_task, task);
}

bool viommu_worker_new(ViommuLoop *loop, unsigned n_threads, unsigned n_per_user, ViommuWorker **ret_worker,
                       GError **error)
{
    g_autofree ViommuWorker *worker = g_new0(ViommuWorker, 1);
    g_autoptr(GError) cause = NULL;

    g_return_val_if_fail(n_threads > 0, false);
    worker->loop = loop;
    worker->n_threads = n_threads;
    worker->n_per_user = n_per_user;
    worker->pool = g_thread_pool_new(run_task, worker, (int)n_threads, FALSE, &cause);
    if (!worker->pool)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot start worker threads: %s", cause->message);
    worker->waiting = viommu_queue_new();
    worker->users = g_hash_table_new(NULL, NULL);
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
    viommu_queue_free(worker->waiting);
    g_hash_table_unref(worker->users);
    g_free(worker);
}

ViommuTask *viommu_worker_run(ViommuWorker *worker, uint32_t uid, ViommuWorkFunc work, ViommuDoneFunc done,
                              void *data)
{
    ViommuTask *task = g_new(ViommuTask, 1);

    *task = (ViommuTask){worker, uid, work, done, data, false, false};
    worker->pending++;
    viommu_queue_add(worker->waiting, uid, task);
    dispatch(worker);
    return task;
}

bool viommu_worker_abandon(ViommuTask *task)
{
    ViommuWorker *worker = task->worker;

    /* A task that waits has no thread to replace. */
    if (!task->runs || task->abandoned)
        return true;
    if (worker->abandoned >= VIOMMU_WORKER_ABANDONED_MAX)
        return false;
    task->abandoned = true;
    worker->abandoned++;
    count(worker, task->uid, -1);
    set_threads(worker);
    dispatch(worker);
    return true;
}

unsigned viommu_worker_pending(const ViommuWorker *worker)
{
    return worker->pending;
}

bool viommu_worker_settle(ViommuWorker *worker, gint64 end_usec)
{
    for (;;) {
        viommu_loop_drain(worker->loop);
        if (worker->pending == 0)
            return true;
        if (g_get_monotonic_time() >= end_usec)
            return false;
        g_usleep(SETTLE_WAIT_USEC);
    }
}
