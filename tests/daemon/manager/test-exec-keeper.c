/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-exec-keeper: commands in guests: their input, output and status, callers that leave or do
 * not read, and limits. */
#include "tests/daemon/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "daemon/process/held-files.h"

#define ONE    "{'name': <'one'>, 'arch': <'x86_64'>, 'iommu': <{'model': <'intel'>}>}"
#define CALLER "bus:1.1"

/* A command, and the caller's ends of its pipes. */
typedef struct Run {
    int input, output, errors;
    Answer answer;
} Run;

static void close_one(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void run_clear(Run *run)
{
    close_one(&run->input);
    close_one(&run->output);
    close_one(&run->errors);
    answer_clear(&run->answer);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* The end that viommud gets. */
static int make_pipe(int *ret_own, bool own_reads)
{
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    *ret_own = ends[own_reads ? 0 : 1];
    return ends[own_reads ? 1 : 0];
}

static void run(Fixture *fixture, const char *const *argv, Run *ret_run)
{
    GArray *fds = viommu_held_array_new();
    ViommuWaiter waiter = answer_waiter(&ret_run->answer);
    int given[3];

    ret_run->answer = (Answer){0};
    given[0] = make_pipe(&ret_run->input, false);
    given[1] = make_pipe(&ret_run->output, true);
    given[2] = make_pipe(&ret_run->errors, true);
    g_array_append_vals(fds, given, 3);
    viommu_held_add_all(fds, 1000);
    viommu_manager_exec(fixture->manager, fixture_find(fixture, "one"), &(ViommuExecOrder){argv, fds, CALLER},
                        &waiter);
}

static const char *const words[] = {"cat", "a b", NULL};

/* With a running machine, whose agent answers. */
static const char *begin(Fixture *fixture)
{
    FakeDomain *domain;

    fixture_start(fixture);
    domain = fake_find(fixture_machine(fixture, ONE)->uuid);
    domain->agent_output = g_strdup("");
    return domain->uuid;
}

static void turn_for(Fixture *fixture, gint64 usec)
{
    for (gint64 end = g_get_monotonic_time() + usec; g_get_monotonic_time() < end;)
        fixture_turn(fixture);
}

static void assert_reads(int fd, const char *wanted)
{
    char text[64] = "";

    ck_assert_int_eq(read(fd, text, sizeof(text) - 1), (int)strlen(wanted));
    ck_assert_str_eq(text, wanted);
}

START_TEST(it_runs)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) one = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);
    const FakeCommand *command = &fake_find(uuid)->command;

    run(&fixture, words, &one);
    ck_assert_int_eq(write(one.input, "hello", 5), 5);
    close_one(&one.input);
    fixture_await(&fixture, command->is_whole);
    ck_assert_str_eq(command->words, "cat a b");
    ck_assert_str_eq(command->input->str, "hello");
    fake_command_print(uuid, 0, "said", 4);
    fake_command_print(uuid, 1, "complained", 10);
    fake_command_exit(uuid, 7);
    fixture_await(&fixture, one.answer.n);
    assert_went_well(&one.answer);
    ck_assert_int_eq(one.answer.status, 7);
    assert_reads(one.output, "said");
    assert_reads(one.output, "");
    assert_reads(one.errors, "complained");
    assert_reads(one.errors, "");
    fixture_await(&fixture, fake_command_ends(uuid) == 1);
    ck_assert_uint_eq(fake_command_kills(uuid), 0);
}
END_TEST

/* 0: the end. */
static ssize_t read_more(int fd, GByteArray *got)
{
    guint8 piece[65536];
    ssize_t n = read(fd, piece, sizeof(piece));

    g_byte_array_append(got, piece, n > 0 ? (guint)n : 0);
    return n;
}

/* 1 MiB comes whole, although the agent misses some questions. */
START_TEST(much_output)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) one = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);
    g_autofree char *much = g_malloc(1 << 20);
    g_autoptr(GByteArray) got = g_byte_array_new();

    for (size_t i = 0; i < 1 << 20; i++)
        much[i] = (char)(i * 7 + i / 977);
    fake_command_print(uuid, 0, much, 1 << 20);
    fake_command_exit(uuid, 0);
    run(&fixture, words, &one);
    fake_fail(FAKE_COMMAND_STEP, 3, VIOMMU_ERROR_BUSY, "no agent replies");
    ck_assert_int_eq(fcntl(one.output, F_SETFL, O_NONBLOCK), 0);
    fixture_await(&fixture, read_more(one.output, got) == 0 && one.answer.n);
    assert_went_well(&one.answer);
    ck_assert_uint_eq(got->len, 1 << 20);
    ck_assert_int_eq(memcmp(got->data, much, 1 << 20), 0);
}
END_TEST

/* What nobody reads is not fetched, and others are served. */
START_TEST(nobody_reads)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) stuck = {-1, -1, -1, {0}}, other = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);
    g_autofree char *much = g_malloc0(4 << 20);

    run(&fixture, words, &stuck);
    fake_command_print(uuid, 0, much, 4 << 20);
    fixture_await(&fixture, fake_command_read(uuid, 0) > 64 << 10);
    turn_for(&fixture, G_USEC_PER_SEC);
    ck_assert_uint_lt(fake_command_read(uuid, 0), 1 << 20);
    ck_assert_uint_eq(stuck.answer.n, 0);
    /* It leaves: its command is killed, as by SIGPIPE. */
    close_one(&stuck.output);
    fixture_await(&fixture, stuck.answer.n && fake_command_ends(uuid) == 1);
    assert_went_well(&stuck.answer);
    ck_assert_int_eq(stuck.answer.status, 141);
    ck_assert_uint_eq(fake_command_kills(uuid), 1);
    run(&fixture, words, &other);
    fixture_await(&fixture, fake_command_starts(uuid) == 2);
}
END_TEST

START_TEST(the_caller_leaves)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) one = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);

    run(&fixture, words, &one);
    fixture_await(&fixture, fake_command_starts(uuid) == 1);
    viommu_manager_caller_gone(fixture.manager, "bus:1.2");
    fixture_turn(&fixture);
    ck_assert_uint_eq(one.answer.n, 0);
    viommu_manager_caller_gone(fixture.manager, CALLER);
    assert_fails(&one.answer, VIOMMU_ERROR_BUSY, "the caller has disconnected");
    fixture_await(&fixture, fake_command_kills(uuid) == 1);
    assert_reads(one.output, "");
}
END_TEST

/* Even before the command has started. */
START_TEST(the_caller_leaves_at_once)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) one = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);

    fake_hold(FAKE_COMMAND_START);
    run(&fixture, words, &one);
    fixture_await(&fixture, fake_hanging(FAKE_COMMAND_START) == 1);
    viommu_manager_caller_gone(fixture.manager, CALLER);
    ck_assert_uint_eq(one.answer.n, 1);
    fake_release(FAKE_COMMAND_START);
    fixture_await(&fixture, fake_command_kills(uuid) == 1);
}
END_TEST

START_TEST(it_is_refused)
{
    static const char *const none[] = {NULL}, *const option[] = {"-x", NULL};
    g_auto(Fixture) fixture = {0};
    g_auto(Run) empty = {-1, -1, -1, {0}}, dash = {-1, -1, -1, {0}}, large = {-1, -1, -1, {0}},
                mute = {-1, -1, -1, {0}}, forbidden = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);
    g_autofree char *much = g_strnfill(VIOMMU_EXEC_WORDS_MAX, 'x');
    const char *const long_words[] = {"echo", much, NULL};

    run(&fixture, none, &empty);
    assert_fails(&empty.answer, VIOMMU_ERROR_INVALID_REQUEST, "names no command");
    run(&fixture, option, &dash);
    assert_fails(&dash.answer, VIOMMU_ERROR_INVALID_REQUEST, "begins with '-'");
    run(&fixture, long_words, &large);
    assert_fails(&large.answer, VIOMMU_ERROR_INVALID_REQUEST, "the maximum is 16384");
    fake_fail(FAKE_COMMAND_START, 1, VIOMMU_ERROR_NOT_SUPPORTED, "the agent forbids it");
    run(&fixture, words, &forbidden);
    fixture_await(&fixture, forbidden.answer.n);
    assert_fails(&forbidden.answer, VIOMMU_ERROR_NOT_SUPPORTED,
                 "machine 'one' cannot run the command: the agent forbids it");
    g_clear_pointer(&fake_find(uuid)->agent_output, g_free);
    run(&fixture, words, &mute);
    fixture_await(&fixture, mute.answer.n);
    assert_fails(&mute.answer, VIOMMU_ERROR_NOT_SUPPORTED, "it has no agent");
    ck_assert_uint_eq(fake_command_starts(uuid), 0);
}
END_TEST

/* A relay's thread counts until it has ended, which is when the kernel lets it. */
static bool is_accepted(Fixture *fixture, Run *again)
{
    run_clear(again);
    run(fixture, words, again);
    return again->answer.n == 0;
}

START_TEST(so_many_run)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) more = {-1, -1, -1, {0}}, again = {-1, -1, -1, {0}};
    Run runs[VIOMMU_EXECS_PER_OWNER];
    const char *uuid = begin(&fixture);

    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
        run(&fixture, words, &runs[i]);
    run(&fixture, words, &more);
    assert_fails(&more.answer, VIOMMU_ERROR_BUSY, "8 commands already run in guests of user 1000");
    fixture_await(&fixture, fake_command_starts(uuid) == G_N_ELEMENTS(runs));
    viommu_manager_caller_gone(fixture.manager, CALLER);
    fixture_await(&fixture, fake_command_kills(uuid) == G_N_ELEMENTS(runs));
    fixture_await(&fixture, is_accepted(&fixture, &again));
    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
        run_clear(&runs[i]);
}
END_TEST

/* A reader of a pipe whose memory never comes: whoever else touches the pipe waits for it. */
typedef struct Snag {
    int fd, faults;
    char *page;
    GThread *reader;
} Snag;

static void *read_into_nothing(void *data)
{
    const Snag *snag = data;

    ck_assert_int_eq(read(snag->fd, snag->page, 1), 1);
    return NULL;
}

/* False: the kernel does not let this user. */
static bool snag_pipe(Snag *snag, int fd)
{
    struct uffdio_api api = {.api = UFFD_API};
    struct uffdio_register range = {.mode = UFFDIO_REGISTER_MODE_MISSING};
    long size = sysconf(_SC_PAGESIZE);

    snag->fd = fd;
    snag->faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
    if (snag->faults < 0)
        return false;
    snag->page = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(snag->page, MAP_FAILED);
    range.range.start = (uintptr_t)snag->page;
    range.range.len = (uint64_t)size;
    ck_assert_int_eq(ioctl(snag->faults, UFFDIO_API, &api), 0);
    ck_assert_int_eq(ioctl(snag->faults, UFFDIO_REGISTER, &range), 0);
    snag->reader = g_thread_new("snag", read_into_nothing, snag);
    return true;
}

/* The reader waits for its memory, and holds the pipe. */
static bool holds_pipe(const Snag *snag)
{
    struct pollfd fault = {.fd = snag->faults, .events = POLLIN};

    return poll(&fault, 1, 0) == 1 && fault.revents == POLLIN;
}

/* The relay's thread waits for the pipe, which only the kernel shows. */
static bool relay_waits(void)
{
    g_autoptr(GDir) tasks = g_dir_open("/proc/self/task", 0, NULL);

    for (const char *task; (task = g_dir_read_name(tasks));) {
        g_autofree char *path = g_build_filename("/proc/self/task", task, "stat", NULL), *stat = NULL;

        if (g_file_get_contents(path, &stat, NULL, NULL) && strstr(stat, " (relay) D "))
            return true;
    }
    return false;
}

static void release_pipe(Snag *snag)
{
    close(snag->faults); /* then the page is an ordinary one */
    g_thread_join(snag->reader);
    munmap(snag->page, (size_t)sysconf(_SC_PAGESIZE));
}

/* A thread that somebody makes wait counts until it ends, and nobody waits for it. */
START_TEST(a_thread_that_waits)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) stuck = {-1, -1, -1, {0}}, more = {-1, -1, -1, {0}}, again = {-1, -1, -1, {0}};
    Run runs[VIOMMU_EXECS_PER_OWNER - 1];
    const char *uuid = begin(&fixture);
    Snag snag;

    run(&fixture, words, &stuck);
    fake_command_print(uuid, 0, "some", 4);
    fixture_await(&fixture, fake_command_read(uuid, 0) == 4);
    if (!snag_pipe(&snag, stuck.output)) {
        g_print("skipped: a_thread_that_waits: no userfaultfd: %s\n", g_strerror(errno));
        return;
    }
    fixture_await(&fixture, holds_pipe(&snag));
    fake_command_print(uuid, 0, "more", 4);
    fixture_await(&fixture, fake_command_read(uuid, 0) == 8);
    fixture_await(&fixture, relay_waits());
    viommu_manager_caller_gone(fixture.manager, CALLER);
    ck_assert_uint_eq(stuck.answer.n, 1);
    fixture_await(&fixture, fake_command_ends(uuid) == 1);
    turn_for(&fixture, G_USEC_PER_SEC);
    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
        run(&fixture, words, &runs[i]);
    ck_assert_uint_eq(runs[G_N_ELEMENTS(runs) - 1].answer.n, 0);
    run(&fixture, words, &more);
    assert_fails(&more.answer, VIOMMU_ERROR_BUSY, "8 commands already run in guests of user 1000");
    release_pipe(&snag);
    fixture_await(&fixture, is_accepted(&fixture, &again));
    for (size_t i = 0; i < G_N_ELEMENTS(runs); i++)
        run_clear(&runs[i]);
}
END_TEST

START_TEST(the_agent_is_no_longer_asked)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) one = {-1, -1, -1, {0}}, again = {-1, -1, -1, {0}};
    const char *uuid = begin(&fixture);

    fake_find(uuid)->agent_breaks = true;
    run(&fixture, words, &one);
    fixture_await(&fixture, one.answer.n);
    assert_fails(&one.answer, VIOMMU_ERROR_BACKEND, "the connection broke");
    run(&fixture, words, &again);
    fixture_await(&fixture, again.answer.n);
    assert_fails(&again.answer, VIOMMU_ERROR_NOT_SUPPORTED, "its agent is no longer asked");
    ck_assert_uint_eq(fake_calls(FAKE_COMMAND_START), 1);
}
END_TEST

START_TEST(the_machine_ends)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Run) one = {-1, -1, -1, {0}};
    g_auto(Answer) stopped = {0};
    const char *uuid = begin(&fixture);

    run(&fixture, words, &one);
    fixture_await(&fixture, fake_command_starts(uuid) == 1);
    fixture_stop(&fixture, "one", 0, &stopped);
    fixture_await(&fixture, one.answer.n);
    ck_assert_int_ne(one.answer.code, -1);
}
END_TEST

UNIT_MAIN("exec-keeper", it_runs, much_output, nobody_reads, the_caller_leaves, the_caller_leaves_at_once,
          it_is_refused, so_many_run, a_thread_that_waits, the_agent_is_no_longer_asked, the_machine_ends)
