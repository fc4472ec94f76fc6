/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-loop: posts from other threads, work off the loop, signals, and log lines. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/process/log.h"
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"
#include "lib/base/error.h"
#include "tests/unit/unit.h"

#define N_POSTERS 4
#define N_POSTS   1000
#define N_JOBS    100

static ViommuLoop *loop;

static void setup(void)
{
    ck_assert(viommu_loop_new(&loop, NULL));
}

static void teardown(void)
{
    viommu_loop_free(g_steal_pointer(&loop));
}

static void on_stop(void *data)
{
    ++*(int *)data;
}

/* --- Posting --- */

typedef struct Numbered {
    int poster, number;
} Numbered;

static int last_number[N_POSTERS];
static int n_received;

static void receive(void *data)
{
    g_autofree Numbered *numbered = data;

    ck_assert_int_eq(numbered->number, last_number[numbered->poster] + 1);
    last_number[numbered->poster] = numbered->number;
    if (++n_received == N_POSTERS * N_POSTS)
        viommu_loop_exit(loop, 7);
}

static void *post_many(void *data)
{
    for (int i = 1; i <= N_POSTS; i++) {
        Numbered *numbered = g_new(Numbered, 1);
        *numbered = (Numbered){GPOINTER_TO_INT(data), i};
        viommu_loop_post(loop, receive, numbered);
    }
    return NULL;
}

START_TEST(posts_of_each_thread_arrive_in_order)
{
    GThread *threads[N_POSTERS];

    n_received = 0;
    memset(last_number, 0, sizeof last_number);
    for (int i = 0; i < N_POSTERS; i++)
        threads[i] = g_thread_new("poster", post_many, GINT_TO_POINTER(i));
    ck_assert_int_eq(viommu_loop_run(loop), 7);
    for (int i = 0; i < N_POSTERS; i++)
        g_thread_join(threads[i]);
}
END_TEST

static void count_and_post(void *data)
{
    if (++*(int *)data < 3)
        viommu_loop_post(loop, count_and_post, data);
}

START_TEST(draining_runs_what_posts_post)
{
    int count = 0;

    viommu_loop_post(loop, count_and_post, &count);
    ck_assert_int_eq(count, 0);
    viommu_loop_drain(loop);
    ck_assert_int_eq(count, 3);
}
END_TEST

/* --- Signals --- */

START_TEST(the_first_signal_asks_and_the_second_ends)
{
    int count = 0;

    viommu_loop_on_stop(loop, on_stop, &count);
    ck_assert_int_eq(kill(getpid(), SIGHUP), 0);
    ck_assert_int_gt(sd_event_run(viommu_loop_event(loop), 1000000), 0);
    ck_assert_int_eq(count, 0);
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    ck_assert_int_gt(sd_event_run(viommu_loop_event(loop), 1000000), 0);
    ck_assert_int_eq(count, 1);
    ck_assert_int_eq(kill(getpid(), SIGINT), 0);
    ck_assert_int_eq(viommu_loop_run(loop), EXIT_FAILURE);
    ck_assert_int_eq(count, 1);
}
END_TEST

START_TEST(without_a_handler_a_signal_ends)
{
    ck_assert_int_eq(kill(getpid(), SIGTERM), 0);
    ck_assert_int_eq(viommu_loop_run(loop), EXIT_SUCCESS);
}
END_TEST

/* --- Worker --- */

typedef struct Jobs {
    ViommuWorker *worker;
    GThread *loop_thread;
    int n_running, max_running; /* atomic */
    int n_worked;               /* atomic */
    int n_done;
    int n_to_add; /* by done functions */
} Jobs;

static void work(void *data)
{
    Jobs *jobs = data;
    int running = g_atomic_int_add(&jobs->n_running, 1) + 1;

    if (running > g_atomic_int_get(&jobs->max_running))
        g_atomic_int_set(&jobs->max_running, running);
    if (jobs->worker)
        ck_assert_ptr_ne(g_thread_self(), jobs->loop_thread);
    g_usleep(1000);
    g_atomic_int_add(&jobs->n_running, -1);
    g_atomic_int_inc(&jobs->n_worked);
}

static void done(void *data)
{
    Jobs *jobs = data;

    ck_assert_ptr_eq(g_thread_self(), jobs->loop_thread);
    jobs->n_done++;
    if (jobs->n_to_add-- > 0)
        viommu_worker_run(jobs->worker, 7, work, done, jobs);
    else if (viommu_worker_pending(jobs->worker) == 0)
        viommu_loop_exit(loop, 0);
}

static void give_jobs(Jobs *jobs)
{
    *jobs = (Jobs){.loop_thread = g_thread_self(), .n_to_add = 10};
    ck_assert(viommu_worker_new(loop, 3, 0, &jobs->worker, NULL));
    for (int i = 0; i < N_JOBS; i++)
        viommu_worker_run(jobs->worker, 7, work, done, jobs);
    ck_assert_uint_eq(viommu_worker_pending(jobs->worker), N_JOBS);
}

START_TEST(work_is_bounded_and_done_on_the_loop)
{
    Jobs jobs;

    give_jobs(&jobs);
    ck_assert_int_eq(viommu_loop_run(loop), 0);
    ck_assert_int_eq(jobs.n_worked, N_JOBS + 10);
    ck_assert_int_eq(jobs.n_done, N_JOBS + 10);
    ck_assert_int_le(jobs.max_running, 3);
    ck_assert_int_gt(jobs.max_running, 1);
    viommu_worker_free(jobs.worker);
}
END_TEST

static void done_while_freeing(void *data)
{
    ((Jobs *)data)->n_done++;
}

START_TEST(freeing_a_worker_finishes_what_it_was_given)
{
    Jobs jobs = {.loop_thread = g_thread_self()};
    g_autoptr(ViommuWorker) worker = NULL;

    ck_assert(viommu_worker_new(loop, 2, 0, &worker, NULL));
    for (int i = 0; i < 20; i++)
        viommu_worker_run(worker, 7, work, done_while_freeing, &jobs);
    viommu_worker_free(g_steal_pointer(&worker));
    ck_assert_int_eq(jobs.n_worked, 20);
    ck_assert_int_eq(jobs.n_done, 20);
}
END_TEST

/* Work that hangs until it is released, and another user's work meanwhile. */
typedef struct Hanging {
    int let_go; /* atomic */
    unsigned n_done, n_others;
    ViommuWorker *worker;
    ViommuTask *first;
} Hanging;

static void hang(void *data)
{
    while (!g_atomic_int_get(&((Hanging *)data)->let_go))
        g_usleep(1000);
}

static void done_hanging(void *data)
{
    Hanging *hanging = data;

    if (++hanging->n_done == 3)
        viommu_loop_exit(loop, 0);
}

static void nothing(void *data)
{
}

/* One user's work hangs on two of three threads, and a third piece waits; another user's work is
 * done, also when more hangs. */
static void done_other(void *data)
{
    Hanging *hanging = data;

    ck_assert_uint_eq(hanging->n_done, 0);
    if (++hanging->n_others == 1) {
        ck_assert(viommu_worker_abandon(hanging->first));
        viommu_worker_run(hanging->worker, 8, nothing, done_other, hanging);
    } else {
        g_atomic_int_set(&hanging->let_go, 1);
    }
}

START_TEST(a_user_who_hangs_leaves_room)
{
    Hanging hanging = {.let_go = 0};
    g_autoptr(ViommuWorker) worker = NULL;

    ck_assert(viommu_worker_new(loop, 3, 2, &worker, NULL));
    hanging.worker = worker;
    hanging.first = viommu_worker_run(worker, 7, hang, done_hanging, &hanging);
    for (int i = 0; i < 2; i++)
        viommu_worker_run(worker, 7, hang, done_hanging, &hanging);
    viommu_worker_run(worker, 8, nothing, done_other, &hanging);
    ck_assert_int_eq(viommu_loop_run(loop), 0);
    ck_assert_uint_eq(hanging.n_done, 3);
    ck_assert_uint_eq(hanging.n_others, 2);
    ck_assert(viommu_worker_settle(worker, 0));
}
END_TEST

/* --- Log --- */

/* Runs @func with stderr in a file, and returns the output. */
static char *captured(void (*func)(void))
{
    g_autofree char *path = NULL;
    char *text = NULL;
    int fd = g_file_open_tmp("viommu-log-XXXXXX", &path, NULL);
    int saved = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(dup2(fd, STDERR_FILENO), 0);
    func();
    ck_assert_int_ge(dup2(saved, STDERR_FILENO), 0);
    close(saved);
    close(fd);
    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    unlink(path);
    return text;
}

static void log_some(void)
{
    ViommuLogFields fields = {.machine_name = "m1"};
    g_autoptr(GError) error = g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "no\nluck\x1b[2J\x07 \xff");

    viommu_log_open(LOG_NOTICE);
    viommu_log(LOG_INFO, NULL, "dropped");
    viommu_log(LOG_NOTICE, &fields, "%d guests\n", 3);
    viommu_log_error(LOG_ERR, NULL, error, "cannot start");
    viommu_log_open(LOG_DEBUG);
    viommu_log(LOG_DEBUG, NULL, "kept");
}

START_TEST(lines_on_stderr_have_a_level)
{
    g_autofree char *text = captured(log_some);

    ck_assert_str_eq(text, "notice: 3 guests\nerr: cannot start: no\n  luck? \xef\xbf\xbd\ndebug: kept\n");
}
END_TEST

static void log_much(void)
{
    g_autofree char *text = g_strnfill(20000, 'a');

    /* The cut is inside a character. */
    memcpy(text + 8191, "\xc3\xa4", 2);
    viommu_log(LOG_NOTICE, NULL, "%s", text);
}

START_TEST(long_messages_are_cut)
{
    g_autofree char *text = captured(log_much);

    ck_assert_uint_eq(strlen(text), strlen("notice: ") + 8191 + strlen("\n"));
}
END_TEST

/* When $JOURNAL_STREAM names this file, nothing is written to it: messages go to the journal's
 * socket. */
static void log_to_journal(void)
{
    struct stat st;

    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    g_autofree char *stream = g_strdup_printf("%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    g_setenv("JOURNAL_STREAM", stream, TRUE);
    viommu_log_open(LOG_INFO);
    viommu_log(LOG_DEBUG, NULL, "from viommud's test-loop, to nobody");
    viommu_log(LOG_INFO, NULL, "from viommud's test-loop");
    g_unsetenv("JOURNAL_STREAM");
    viommu_log_open(LOG_INFO);
}

START_TEST(a_journal_stream_is_recognised)
{
    g_autofree char *text = captured(log_to_journal);

    ck_assert_str_eq(text, "");
}
END_TEST

START_TEST(levels_have_words)
{
    ck_assert_int_eq(viommu_log_priority_from_string("err"), LOG_ERR);
    ck_assert_int_eq(viommu_log_priority_from_string("debug"), LOG_DEBUG);
    ck_assert_int_eq(viommu_log_priority_from_string("loud"), -1);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("loop");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, posts_of_each_thread_arrive_in_order);
    tcase_add_test(tcase, draining_runs_what_posts_post);
    tcase_add_test(tcase, the_first_signal_asks_and_the_second_ends);
    tcase_add_test(tcase, without_a_handler_a_signal_ends);
    tcase_add_test(tcase, work_is_bounded_and_done_on_the_loop);
    tcase_add_test(tcase, freeing_a_worker_finishes_what_it_was_given);
    tcase_add_test(tcase, a_user_who_hangs_leaves_room);
    tcase_add_test(tcase, lines_on_stderr_have_a_level);
    tcase_add_test(tcase, long_messages_are_cut);
    tcase_add_test(tcase, a_journal_stream_is_recognised);
    tcase_add_test(tcase, levels_have_words);
    return unit_run_case("loop", tcase);
}
