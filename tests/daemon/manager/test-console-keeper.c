/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-console-keeper: a guest's output reaches its log, the attached clients and errors; input
 * reaches the guest; bounds hold. */
#include "tests/daemon/fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/console/console-log.h"

#define ONE "{'name': <'one'>, 'iommu': <{'is-supported': <true>}>}"

static int attach(Fixture *fixture, const char *name)
{
    GError *error = NULL;
    int fd = -1;

    unit_assert_ok(viommu_manager_open_console(fixture->manager, fixture_find(fixture, name), &fd, &error),
                   error);
    return fd;
}

static void assert_no_console(Fixture *fixture, const char *name, ViommuError code, const char *words)
{
    GError *error = NULL;
    int fd = -1;

    ck_assert(!viommu_manager_open_console(fixture->manager, fixture_find(fixture, name), &fd, &error));
    ck_assert_msg(error->code == (int)code && strstr(error->message, words), "%s", error->message);
    g_error_free(error);
}

/* Appends what has arrived to @text. */
static const char *heard(int fd, GString *text)
{
    char data[4096];
    ssize_t n = recv(fd, data, sizeof(data), MSG_DONTWAIT);

    if (n > 0)
        g_string_append_len(text, data, n);
    return text->str;
}

static bool is_closed(int fd)
{
    char byte;

    return recv(fd, &byte, 1, MSG_DONTWAIT) == 0;
}

static char *read_log(Fixture *fixture, const char *name, const uint32_t *uid)
{
    GError *error = NULL;
    char data[4096] = "";
    int fd = -1;

    unit_assert_ok(viommu_manager_open_console_log(fixture->manager, name, uid, &fd, &error), error);
    ck_assert_int_ge(read(fd, data, sizeof(data) - 1), 0);
    close(fd);
    return g_strdup(data);
}

START_TEST(output)
{
    g_auto(Fixture) fixture = {0};
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *log = NULL, *uuid = NULL;
    int fd;

    fixture_start(&fixture);
    uuid = g_strdup(fixture_machine(&fixture, ONE)->uuid);
    fake_print(uuid, "hello\n", 0);
    fixture_settle(&fixture);
    fd = attach(&fixture, "one");
    fixture_await(&fixture, strstr(heard(fd, text), "hello"));
    fake_print(uuid, "world\n", 7);
    fixture_await(&fixture, strstr(heard(fd, text), "7 bytes"));
    log = read_log(&fixture, "one", NULL);
    ck_assert_str_eq(log, text->str);
    /* An attached client is told of the end. */
    fake_end(uuid, VIOMMU_NEWS_SHUTDOWN, NULL);
    fixture_await(&fixture, is_closed(fd));
    close(fd);
    assert_no_console(&fixture, "one", VIOMMU_ERROR_BUSY, "stopped");
}
END_TEST

START_TEST(input)
{
    g_auto(Fixture) fixture = {0};
    const FakeDomain *domain;
    FakeDomain *deaf;
    int fd;

    fixture_start(&fixture);
    deaf = fake_find(fixture_machine(&fixture, ONE)->uuid);
    domain = deaf;
    fd = attach(&fixture, "one");
    ck_assert_int_eq(send(fd, "ls\n", 3, 0), 3);
    fixture_await(&fixture, strcmp(domain->input->str, "ls\n") == 0);
    /* No client is read from while the guest does not read. */
    deaf->deaf = true;
    ck_assert_int_eq(send(fd, "one", 3, 0), 3);
    fixture_await(&fixture, strcmp(domain->input->str, "ls\none") == 0);
    ck_assert_int_eq(send(fd, "two", 3, 0), 3);
    for (int i = 0; i < 5; i++)
        fixture_turn(&fixture);
    ck_assert_str_eq(domain->input->str, "ls\none");
    fake_listen(domain->uuid);
    fixture_await(&fixture, strcmp(domain->input->str, "ls\nonetwo") == 0);
    /* The client has nothing more to send; then it disconnects. */
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    fixture_turn(&fixture);
    close(fd);
    fake_print(domain->uuid, "anybody?\n", 0);
    fixture_await(&fixture, viommu_console_n_attached(fixture_find(&fixture, "one")->console) == 0);
}
END_TEST

START_TEST(bounds)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *much = g_strnfill(60000, 'x');
    int fds[4];

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        fds[i] = attach(&fixture, "one");
    assert_no_console(&fixture, "one", VIOMMU_ERROR_BUSY, "4 ");
    /* A client that does not read is disconnected. */
    for (int i = 0; i < 20; i++)
        fake_print(fixture_find(&fixture, "one")->uuid, much, 0);
    fixture_await(&fixture, viommu_console_n_attached(fixture_find(&fixture, "one")->console) == 0);
    for (size_t i = 0; i < G_N_ELEMENTS(fds); i++)
        close(fds[i]);
}
END_TEST

/* A client that closes the connection is released at once, whether or not the guest prints
 * anything. */
START_TEST(leaving)
{
    g_auto(Fixture) fixture = {0};
    const ViommuConsole *console;
    int fds[2];

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fds[0] = attach(&fixture, "one");
    fds[1] = attach(&fixture, "one");
    console = fixture_find(&fixture, "one")->console;
    ck_assert_uint_eq(viommu_console_n_attached(console), 2);
    close(fds[0]);
    fixture_await(&fixture, viommu_console_n_attached(console) == 1);
    close(fds[1]);
    fixture_await(&fixture, viommu_console_n_attached(console) == 0);
}
END_TEST

/* The limit of one user, over all machines. */
START_TEST(many_machines)
{
    g_auto(Fixture) fixture = {0};
    int fds[64], n = 0;

    fixture_start(&fixture);
    for (int i = 0; i < 17; i++) {
        g_autofree char *request =
            g_strdup_printf("{'name': <'m%d'>, 'iommu': <{'is-supported': <true>}>}", i);
        g_autofree char *name = g_strdup_printf("m%d", i);

        (void)fixture_machine(&fixture, request);
        for (int j = 0; j < 4 && n < (int)G_N_ELEMENTS(fds); j++)
            fds[n++] = attach(&fixture, name);
    }
    assert_no_console(&fixture, "m16", VIOMMU_ERROR_BUSY, "user 1000 already has 64 console connections");
    close(fds[0]);
    fixture_await(&fixture, viommu_console_n_attached(fixture_find(&fixture, "m0")->console) == 3);
    fds[0] = attach(&fixture, "m16");
    while (n > 0)
        close(fds[--n]);
}
END_TEST

/* Attached clients still get the output; the log gets it when it can be written again. */
START_TEST(a_log_that_cannot_be_written)
{
    g_auto(Fixture) fixture = {0};
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *path = NULL, *log = NULL;
    const ViommuMachine *machine;
    int fd;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, ONE);
    path = g_strdup(machine->console_log);
    fd = attach(&fixture, "one");
    ck_assert_int_eq(g_remove(path), 0);
    ck_assert_int_eq(g_mkdir(path, 0700), 0);
    fake_print(machine->uuid, "unlogged\n", 0);
    fixture_await(&fixture, strstr(heard(fd, text), "unlogged"));
    fake_print(machine->uuid, "still\n", 0);
    fixture_await(&fixture, strstr(heard(fd, text), "still"));
    ck_assert_int_eq(g_rmdir(path), 0);
    fake_print(machine->uuid, "logged\n", 0);
    fixture_await(&fixture, strstr(text->str, "\nlogged") || strstr(heard(fd, text), "\nlogged"));
    log = read_log(&fixture, "one", NULL);
    ck_assert_str_eq(log, "logged\n");
    close(fd);
}
END_TEST

START_TEST(breaks_and_comes_back)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *log = NULL, *uuid = NULL;

    fixture_start(&fixture);
    uuid = g_strdup(fixture_machine(&fixture, ONE)->uuid);
    fake_print(uuid, "before\n", 0);
    fake_break_console(uuid, "libvirt: it broke");
    fixture_await(&fixture, !viommu_console_is_open(fixture_find(&fixture, "one")->console));
    /* A new connection to libvirt is a reason to open consoles again. */
    fake_tell(VIOMMU_NEWS_DISCONNECTED, "", "it went away");
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, viommu_console_is_open(fixture_find(&fixture, "one")->console));
    log = read_log(&fixture, "one", &(uint32_t){1000});
    ck_assert(g_str_has_prefix(log, "before\n\n[viommud: "));
}
END_TEST

START_TEST(cannot_be_opened)
{
    g_auto(Fixture) fixture = {0};
    FakeDomain *domain;

    fixture_start(&fixture);
    domain = fake_find(fixture_machine(&fixture, ONE)->uuid);
    fake_break_console(domain->uuid, NULL);
    domain->console_refusal = g_strdup("somebody else has it");
    fixture_settle(&fixture);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, fake_console_openings() >= 2);
    fixture_settle(&fixture);
    ck_assert(!viommu_console_is_open(fixture_find(&fixture, "one")->console));
    ck_assert_str_eq(viommu_console_problem(fixture_find(&fixture, "one")->console), "somebody else has it");
    g_clear_pointer(&domain->console_refusal, g_free);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, viommu_console_is_open(fixture_find(&fixture, "one")->console));
    ck_assert_str_eq(viommu_console_problem(fixture_find(&fixture, "one")->console), "");
}
END_TEST

START_TEST(last_words)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, ONE);
    fake_print(machine->uuid, "Kernel panic\n", 0);
    fake_end(machine->uuid, VIOMMU_NEWS_CRASHED, "QEMU: killed");
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    ck_assert_int_eq((int)machine->result, VIOMMU_RESULT_CRASHED);
    ck_assert_ptr_nonnull(strstr(machine->failure_text, "QEMU: killed"));
    ck_assert_ptr_nonnull(strstr(machine->failure_text, "\n    Kernel panic"));
    fixture_stop(&fixture, "one", 0, &answer);
    assert_went_well(&answer);
}
END_TEST

START_TEST(no_consoles)
{
    g_auto(Fixture) fixture = {0};

    fixture_begin(&fixture);
    fake_set_consoles(false);
    fixture_manage(&fixture);
    (void)fixture_machine(&fixture, ONE);
    assert_no_console(&fixture, "one", VIOMMU_ERROR_NOT_SUPPORTED, "fake:///");
}
END_TEST

START_TEST(logs_of_others)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    g_autofree char *log = NULL;
    GError *error = NULL;
    int fd = -1;

    fixture_start(&fixture);
    fake_print(fixture_machine(&fixture, ONE)->uuid, "kept", 0);
    fixture_settle(&fixture);
    fixture_stop(&fixture, "one", 0, &answer);
    /* The machine is gone, but its log is there. */
    log = read_log(&fixture, "one", NULL);
    ck_assert_str_eq(log, "kept");
    ck_assert(!viommu_manager_open_console_log(fixture.manager, "one", &(uint32_t){1001}, &fd, &error));
    ck_assert_int_eq(error->code, VIOMMU_ERROR_NOT_FOUND);
    g_error_free(error);
}
END_TEST

/* A former viommud's guest runs on: what it prints comes after what that one kept. */
START_TEST(logs_of_a_former_version)
{
    static const char uuid[] = "11111111-1111-4111-8111-111111111111";
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING), *path = NULL, *log = NULL;

    fixture_begin(&fixture);
    fixture.former_consoles = g_build_filename(fixture.directory, "former", NULL);
    path = viommu_console_log_path(fixture.former_consoles, 1000, "one", uuid);
    ck_assert(g_mkdir(fixture.former_consoles, 0700) == 0 && g_file_set_contents(path, "before\n", -1, NULL));
    fake_add("one", uuid, metadata, true);
    fixture_manage(&fixture);
    fixture_await(&fixture, fake_find(uuid)->console_open);
    ck_assert(!g_file_test(path, G_FILE_TEST_EXISTS));
    fake_print(uuid, "now\n", 0);
    fixture_settle(&fixture);
    log = read_log(&fixture, "one", NULL);
    ck_assert_msg(g_str_has_prefix(log, "before\n") && g_str_has_suffix(log, "\nnow\n"), "%s", log);
}
END_TEST

#define BRIEF_UUID  "00000000-0000-4000-8000-000000000009"
#define BRIEF_TIMES 300000

static void *print_and_vanish(void *ended)
{
    for (unsigned i = 0; i < BRIEF_TIMES; i++) {
        (void)fake_add("brief", BRIEF_UUID, NULL, true);
        fake_print(BRIEF_UUID, "hello", 0);
        fake_forget(BRIEF_UUID);
    }
    g_atomic_int_set((int *)ended, 1);
    return NULL;
}

/* A worker removes the domain while the loop takes its output: the fake backend once freed this
 * twice, rarely, in whatever test a machine was stopped. */
START_TEST(taken_while_it_vanishes)
{
    ViommuBackend *backend = NULL;
    GThread *thread;
    int ended = 0;

    ck_assert(viommu_backend_new("fake:///", 1, &backend, NULL));
    thread = g_thread_new("worker", print_and_vanish, &ended);
    while (!g_atomic_int_get(&ended)) {
        g_autoptr(ViommuConsoleNews) news = viommu_backend_take_console(backend, BRIEF_UUID);

        if (news)
            ck_assert_int_eq(memcmp(news->output->data, "hello", news->output->len), 0);
    }
    g_thread_join(thread);
    viommu_backend_free(backend);
}
END_TEST

UNIT_MAIN("console-keeper", output, input, bounds, leaving, many_machines, a_log_that_cannot_be_written,
          breaks_and_comes_back, cannot_be_opened, last_words, no_consoles, logs_of_others,
          logs_of_a_former_version, taken_while_it_vanishes)
