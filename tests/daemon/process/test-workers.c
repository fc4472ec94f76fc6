/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-workers: one user's work hangs in each thread that the user may have, and another user's
 * work is still done. */
#include "daemon/process/workers.h"
#include "tests/unit/unit.h"

#define THREADS   4
#define WAIT_USEC (10 * G_USEC_PER_SEC)

enum {
    HANGER = 7,
    OTHER = 8
};

typedef struct Scene {
    int let_go;    /* atomic */
    int n_hanging; /* atomic: at once */
    int most;      /* atomic */
    unsigned n_done;
} Scene;

static void hang(void *data)
{
    Scene *scene = data;
    int n = g_atomic_int_add(&scene->n_hanging, 1) + 1;

    if (n > g_atomic_int_get(&scene->most))
        g_atomic_int_set(&scene->most, n);
    while (!g_atomic_int_get(&scene->let_go))
        g_usleep(1000);
    g_atomic_int_add(&scene->n_hanging, -1);
}

static void nothing(void *data)
{
}

static void done_other(void *data)
{
    ((Scene *)data)->n_done++;
}

/* More tasks hang than there are threads; then another user's task comes.  *ret_most: how many
 * threads hung at once. */
static bool is_served(ViommuLoop *loop, ViommuWorker *worker, int *ret_most)
{
    Scene scene = {.let_go = 0};
    gint64 end = g_get_monotonic_time() + WAIT_USEC;
    bool served;

    for (int i = 0; i < 2 * THREADS; i++)
        viommu_worker_run(worker, HANGER, hang, nothing, &scene);
    viommu_worker_run(worker, OTHER, nothing, done_other, &scene);
    while (scene.n_done == 0 && g_get_monotonic_time() < end) {
        viommu_loop_drain(loop);
        g_usleep(1000);
    }
    served = scene.n_done > 0;
    g_atomic_int_set(&scene.let_go, 1);
    ck_assert(viommu_worker_settle(worker, g_get_monotonic_time() + WAIT_USEC));
    *ret_most = g_atomic_int_get(&scene.most);
    return served;
}

START_TEST(others_are_served)
{
    const ViommuWorkersSizes sizes = {.threads = THREADS, .agents = 1, .launches_per_user = 2};
    g_autoptr(ViommuLoop) loop = NULL;
    ViommuWorkers workers = {NULL};
    int most;

    ck_assert(viommu_loop_new(&loop, NULL));
    ck_assert(viommu_workers_new(loop, &sizes, &workers, NULL));
    const struct {
        const char *name;
        ViommuWorker *worker;
        int share;
    } rows[] = {{"launches", workers.launches, 2},
                {"ends", workers.ends, 2},
                {"calls", workers.calls, 2},
                {"accounts", workers.accounts, 1}};
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        ck_assert_msg(is_served(loop, rows[i].worker, &most), "%s: the other user waits", rows[i].name);
        ck_assert_msg(most <= rows[i].share, "%s: %d threads of one user", rows[i].name, most);
    }
    viommu_workers_clear(&workers);
}
END_TEST

/* Without other users, one user has all threads. */
START_TEST(one_user_has_all)
{
    const ViommuWorkersSizes sizes = {.threads = THREADS, .agents = 1, .one_user = true};
    g_autoptr(ViommuLoop) loop = NULL;
    ViommuWorkers workers = {NULL};
    Scene scene = {.let_go = 0};
    gint64 end = g_get_monotonic_time() + WAIT_USEC;

    ck_assert(viommu_loop_new(&loop, NULL));
    ck_assert(viommu_workers_new(loop, &sizes, &workers, NULL));
    for (int i = 0; i < THREADS; i++)
        viommu_worker_run(workers.ends, HANGER, hang, nothing, &scene);
    while (g_atomic_int_get(&scene.n_hanging) < THREADS && g_get_monotonic_time() < end)
        g_usleep(1000);
    ck_assert_int_eq(g_atomic_int_get(&scene.n_hanging), THREADS);
    g_atomic_int_set(&scene.let_go, 1);
    viommu_workers_clear(&workers);
}
END_TEST

UNIT_MAIN("workers", others_are_served, one_user_has_all)
