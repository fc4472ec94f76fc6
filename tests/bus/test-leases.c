/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-leases: what ends machines when nobody stops them, what extends them, how many there may be,
 * and the queue. */
#include "tests/bus/harness.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include "daemon/libvirt/backend.h"
#include "daemon/bus/variant.h"

#define MACHINE(name, lease) \
    "{'name': <'" name "'>, 'arch': <'x86_64'>, 'memory': <'64 MiB'>, 'lease': <{" lease "}>}"

static uint64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * G_USEC_PER_SEC + (uint64_t)time.tv_nsec / 1000;
}

static uint64_t lease_end(Harness *harness, const char *path)
{
    g_autofree char *text = harness_property(harness, path, VIOMMU_IFACE_MACHINE, "LeaseEnd");

    ck_assert_msg(g_str_has_prefix(text, "uint64 "), "%s", text);
    return g_ascii_strtoull(text + strlen("uint64 "), NULL, 10);
}

static sd_bus_message *extension(Harness *harness, const char *path, uint64_t seconds)
{
    sd_bus_message *call = harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Extend");

    ck_assert_int_ge(sd_bus_message_append(call, "t", seconds), 0);
    return call;
}

static uint64_t extend(Harness *harness, const char *path, uint64_t seconds)
{
    g_autoptr(sd_bus_message) reply = harness_call(harness, extension(harness, path, seconds));
    uint64_t end;

    ck_assert_int_gt(sd_bus_message_read(reply, "t", &end), 0);
    return end;
}

static void wait_removed(Harness *harness, const char *path)
{
    g_autofree char *gone = NULL;

    while (g_strcmp0(gone, path) != 0) {
        g_autoptr(sd_bus_message) removed =
            harness_wait_signal(harness, VIOMMU_BUS_PATH, "InterfacesRemoved");
        const char *text;
        ck_assert_int_gt(sd_bus_message_read(removed, "o", &text), 0);
        g_free(gone);
        gone = g_strdup(text);
    }
}

/* A client that watches a machine is told how it ended, before it is removed. */
static void wait_result(Harness *harness, const char *path, const char *expected)
{
    g_autofree char *result = g_strdup("");

    while (!g_str_equal(result, expected)) {
        g_autoptr(sd_bus_message) changed = harness_wait_signal(harness, path, "PropertiesChanged");
        g_autoptr(GVariant) interface = NULL, values = NULL;
        const char *told = "";

        ck_assert(viommu_bus_variant_read(changed, &interface, NULL));
        ck_assert(viommu_bus_variant_read(changed, &values, NULL));
        if (g_variant_lookup(values, "Result", "&s", &told)) {
            g_free(result);
            result = g_strdup(told);
        }
    }
}

START_TEST(expires)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *forever = harness_launch(harness, "{'arch': <'x86_64'>}"), *path = NULL;
    uint64_t before = now(), end;

    harness_watch(harness);
    ck_assert_uint_eq(lease_end(harness, forever), 0);
    path = harness_launch(harness, MACHINE("short", "'seconds': <2>"));
    end = lease_end(harness, path);
    ck_assert_uint_ge(end, before + 2 * G_USEC_PER_SEC);
    ck_assert_uint_le(end, now() + 2 * G_USEC_PER_SEC);
    wait_result(harness, path, "expired");
    wait_removed(harness, path);
    ck_assert_uint_ge(now(), end);
    ck_assert_uint_eq(harness_count(harness), 1);
    harness_assert_property(harness, forever, "State", "'running'");
}
END_TEST

static char *domain_xml(Harness *harness, const char *path)
{
    g_autoptr(sd_bus_message) reply =
        harness_call(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "GetDomainXML"));
    const char *xml;

    ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
    return g_strdup(xml);
}

/* All of the domain's metadata except the end of the lease.  Owned. */
static char *memory_of(const char *xml)
{
    const char *begin = strstr(xml, "<viommu:machine "), *end = strstr(xml, "</viommu:machine>");
    g_autoptr(GRegex) lease = g_regex_new(" lease-end=\"[0-9]+\"", 0, 0, NULL);

    ck_assert(begin && end && strstr(begin, "<viommu:request>{'name'"));
    return g_regex_replace(lease, begin, end - begin, 0, "", 0, NULL);
}

START_TEST(extends)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, MACHINE("one", "'seconds': <2>")), *written = NULL;
    g_autofree char *before = domain_xml(harness, path), *after = NULL;
    uint64_t first = lease_end(harness, path), end = extend(harness, path, 1000);
    g_autofree char *memory = memory_of(before), *same = NULL;

    ck_assert_uint_gt(end, now() + 900 * G_USEC_PER_SEC);
    ck_assert_uint_eq(lease_end(harness, path), end);
    /* Never earlier than before. */
    ck_assert_uint_eq(extend(harness, path, 1), end);
    written = g_strdup_printf("lease-end=\"%" G_GUINT64_FORMAT "\"", end);
    after = domain_xml(harness, path);
    ck_assert_msg(strstr(after, written), "%s is not in %s", written, after);
    same = memory_of(after);
    ck_assert_str_eq(memory, same);
    while (now() < first + G_USEC_PER_SEC / 2)
        g_usleep(50000);
    harness_assert_property(harness, path, "State", "'running'");
}
END_TEST

/* Several extensions at once, and the machine's end among them. */
START_TEST(extends_at_once)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, MACHINE("one", "'seconds': <100>"));
    HarnessPending pending[8], kill;
    uint64_t last = 0;

    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(harness->bus, extension(harness, path, 1000 + i), &pending[i]);
    harness_send(harness->bus, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Kill"), &kill);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        uint64_t end;
        ck_assert_msg(!sd_bus_message_is_method_error(answer, NULL), "%s",
                      sd_bus_message_get_error(answer)->message);
        ck_assert_int_gt(sd_bus_message_read(answer, "t", &end), 0);
        ck_assert_uint_ge(end, last);
        last = end;
    }
    g_autoptr(sd_bus_message) answer = harness_answer(&kill);
    ck_assert(!sd_bus_message_is_method_error(answer, NULL));
    ck_assert_uint_eq(harness_count(harness), 0);
}
END_TEST

START_TEST(extend_refused)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *path = harness_launch(harness, MACHINE("one", "'bind': <'none'>"));
    g_autofree char *leased = harness_launch(harness, MACHINE("two", "'seconds': <100>"));
    g_autoptr(HarnessError) none = harness_call_error(harness, extension(harness, path, 10));
    g_autoptr(HarnessError) zero = harness_call_error(harness, extension(harness, leased, 0));
    g_autoptr(HarnessError) much = harness_call_error(harness, extension(harness, leased, UINT64_MAX));

    harness_assert_error(none, "InvalidRequest", "machine 'one' has no lease");
    harness_assert_error(zero, "InvalidRequest", "use 1 to 31536000");
    harness_assert_error(much, "InvalidRequest", "18446744073709551615 seconds");
}
END_TEST

/* A client that launches, and its machine. */
static sd_bus *launch_bound(Harness *harness, const char *request, char **ret_path)
{
    sd_bus *client = harness_connect(harness);
    HarnessPending pending;
    const char *path;

    harness_send(client, harness_request(client, "Launch", request), &pending);
    g_autoptr(sd_bus_message) answer = harness_answer(&pending);
    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    *ret_path = g_strdup(path);
    return client;
}

START_TEST(bound)
{
    g_autoptr(Harness) harness = harness_new_ready();
    g_autofree char *mine = harness_launch(harness, MACHINE("mine", "'bind': <'client'>")), *other = NULL;
    sd_bus *client = NULL;

    harness_watch(harness);
    client = launch_bound(harness, MACHINE("other", "'bind': <'client'>, 'seconds': <1000>"), &other);
    harness_assert_property(harness, other, "State", "'running'");
    sd_bus_flush_close_unref(client);
    wait_removed(harness, other);
    ck_assert_uint_eq(harness_count(harness), 1);
    harness_assert_property(harness, mine, "State", "'running'");
}
END_TEST

/* A client that disconnects at any point of its launches. */
START_TEST(bound_while_launching)
{
    g_autoptr(Harness) harness = harness_new_ready();

    for (unsigned i = 0; i < 10; i++) {
        sd_bus *client = harness_connect(harness);
        HarnessPending pending[8];

        for (unsigned j = 0; j < G_N_ELEMENTS(pending); j++)
            harness_send(
                client,
                harness_request(client, "Launch", "{'arch': <'x86_64'>, 'lease': <{'bind': <'client'>}>}"),
                &pending[j]);
        for (unsigned j = 0; j < i % 3; j++)
            (void)harness_answer(&pending[j]);
        /* Other calls may have been answered meanwhile. */
        for (unsigned j = 0; j < G_N_ELEMENTS(pending); j++)
            sd_bus_message_unref(pending[j].answer);
        sd_bus_flush_close_unref(client);
    }
    for (gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC; harness_count(harness) > 0;) {
        ck_assert_msg(g_get_monotonic_time() < end, "%u machines are left", harness_count(harness));
        g_usleep(20000);
    }
}
END_TEST

/* Counts how guests ended, on a thread of libvirt. */
static void count_news(const ViommuNews *news, void *userdata)
{
    gint *ends = userdata;

    if (news->kind == VIOMMU_NEWS_SHUTDOWN || news->kind == VIOMMU_NEWS_DESTROYED)
        g_atomic_int_inc(&ends[news->kind]);
}

/* The first guest is asked to power off, the second is not. */
START_TEST(grace)
{
    static const char *const settings[] = {"[leases]\ngrace=60\n", "[leases]\ngrace=0\n"};
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    const char *const options[] = {"--user", connect, NULL};
    ViommuBackend *watcher = NULL;
    gint ends[VIOMMU_NEWS_LAST] = {0};

    ck_assert(viommu_backend_new(uri, 1, &watcher, NULL));
    ck_assert(viommu_backend_watch(watcher, count_news, ends, NULL));
    harness_watch(harness);
    for (size_t i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autofree char *path = NULL;

        harness_configure(harness, settings[i]);
        harness_start(harness, options);
        path = harness_launch(harness, MACHINE("one", "'seconds': <1>"));
        wait_result(harness, path, "expired");
        wait_removed(harness, path);
        harness_signal(harness, SIGTERM);
        ck_assert_int_eq(harness_wait_exit(harness), 0);
        while (g_atomic_int_get(&ends[VIOMMU_NEWS_SHUTDOWN]) +
                   g_atomic_int_get(&ends[VIOMMU_NEWS_DESTROYED]) <=
               (int)i)
            g_usleep(5000);
        ck_assert_int_eq(g_atomic_int_get(&ends[VIOMMU_NEWS_SHUTDOWN]), 1);
    }
    viommu_backend_free(watcher);
}
END_TEST

/* Another connection, without which libvirt's test driver forgets everything while viommud is
 * down. */
static void ignore_news(const ViommuNews *news, void *userdata)
{
}

static bool reap_child(Harness *harness, int signal)
{
    harness_signal(harness, signal);
    return harness_wait_exit(harness) == 0;
}

START_TEST(over_a_restart)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    g_autofree char *leased = NULL, *bound_mine = NULL, *bound_left = NULL, *ended = NULL;
    const char *const options[] = {"--user", connect, NULL};
    ViommuBackend *keeper = NULL;
    sd_bus *client;
    uint64_t end;

    ck_assert(viommu_backend_new(uri, 1, &keeper, NULL));
    ck_assert(viommu_backend_watch(keeper, ignore_news, NULL, NULL));
    harness_start(harness, options);
    leased = harness_launch(harness, MACHINE("leased", "'seconds': <1000>"));
    end = lease_end(harness, leased);
    bound_mine = harness_launch(harness, MACHINE("mine", "'bind': <'client'>"));
    client = launch_bound(harness, MACHINE("left", "'bind': <'client'>"), &bound_left);
    ended = harness_launch(harness, MACHINE("ended", "'seconds': <4>"));
    ck_assert(reap_child(harness, SIGTERM));
    sd_bus_flush_close_unref(client);

    harness_start(harness, options);
    ck_assert_uint_eq(lease_end(harness, leased), end);
    for (gint64 patience = g_get_monotonic_time() + HARNESS_PATIENCE_USEC; harness_count(harness) > 2;) {
        ck_assert_msg(g_get_monotonic_time() < patience, "%u machines are left", harness_count(harness));
        g_usleep(50000);
    }
    harness_assert_property(harness, leased, "State", "'running'");
    harness_assert_property(harness, bound_mine, "State", "'running'");
    ck_assert(reap_child(harness, SIGTERM));
    viommu_backend_free(keeper);
}
END_TEST

/* --- Limits and the queue --- */

static void start_with(Harness *harness, const char *configuration)
{
    static const char *const options[] = {"--user", "--connect=test:///default", NULL};

    harness_configure(harness, configuration);
    harness_start(harness, options);
}

#define SIZED(vcpus, memory) "{'arch': <'x86_64'>, 'vcpus': <" vcpus ">, 'memory': <'" memory "'>}"

START_TEST(limits)
{
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *user = g_strdup_printf("user %u has 3 vCPUs, and 2 more would exceed", geteuid());
    g_autofree char *first = NULL, *again = NULL;
    g_autoptr(HarnessError) vcpus = NULL, much = NULL, memory = NULL, total = NULL;

    start_with(harness,
               "[machine]\nmemory=128 MiB\n[limits]\nvcpus-per-user=4\nmemory=1 GiB\nmemory-per-user=0 B\n");
    first = harness_launch(harness, SIZED("3", "600 MiB"));
    vcpus = harness_refused(harness, "Launch", SIZED("2", "64 MiB"));
    harness_assert_error(vcpus, "Busy", user);
    harness_assert_error(vcpus, "Busy", "[limits] vcpus-per-user=4");
    much = harness_refused(harness, "Launch", SIZED("5", "64 MiB"));
    harness_assert_error(much, "PolicyRefused", "5 vCPUs requested, but [limits] vcpus-per-user is 4");
    memory = harness_refused(harness, "Launch", SIZED("1", "500 MiB"));
    harness_assert_error(memory, "Busy",
                         "600 MiB of memory, and 500 MiB more would exceed [limits] memory=1 GiB");
    total = harness_refused(harness, "Launch", SIZED("1", "2 GiB"));
    harness_assert_error(total, "PolicyRefused", "2 GiB of memory");
    harness_stop(harness, first, 0);
    again = harness_launch(harness, SIZED("4", "1 GiB"));
}
END_TEST

/* libvirt is stopped: the first launch hangs, and the others wait. */
START_TEST(queue)
{
    static const char *const requests[] = {MACHINE("a", "'bind': <'none'>"), MACHINE("b", "'bind': <'none'>"),
                                           MACHINE("c", "'seconds': <500>"),
                                           MACHINE("d", "'bind': <'none'>")};
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    const char *const options[] = {"--user", connect, NULL};
    HarnessPending pending[G_N_ELEMENTS(requests)];
    g_autofree char *b = NULL, *c = NULL, *d = NULL;
    g_autoptr(HarnessError) full = NULL;

    harness_configure(harness, "[daemon]\nrunning-launches=1\n[limits]\npending-launches-per-user=4\n");
    harness_start(harness, options);
    kill(harness->libvirt_pid, SIGSTOP);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", requests[i]), &pending[i]);
    full = harness_refused(harness, "Launch", MACHINE("e", "'bind': <'none'>"));
    harness_assert_error(full, "Busy", "[limits] pending-launches-per-user=4; try again later");
    b = harness_find(harness, "b");
    c = harness_find(harness, "c");
    d = harness_find(harness, "d");
    harness_assert_property(harness, b, "State", "'planning'");
    harness_assert_property(harness, b, "Arch", "''");
    harness_assert_property(harness, b, "QueuePosition", "uint32 1");
    harness_assert_property(harness, c, "QueuePosition", "uint32 2");
    harness_assert_property(harness, c, "LeaseEnd", "uint64 0");
    harness_assert_property(harness, d, "QueuePosition", "uint32 3");
    harness_stop(harness, b, 0);
    g_autoptr(sd_bus_message) stopped = harness_answer(&pending[1]);
    ck_assert(sd_bus_message_is_method_error(stopped, VIOMMU_ERROR_PREFIX "Busy"));
    harness_assert_property(harness, d, "QueuePosition", "uint32 2");

    kill(harness->libvirt_pid, SIGCONT);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autoptr(sd_bus_message) answer = i == 1 ? NULL : harness_answer(&pending[i]);
        ck_assert_msg(!answer || !sd_bus_message_is_method_error(answer, NULL), "%s",
                      sd_bus_message_get_error(answer)->message);
    }
    harness_assert_property(harness, d, "QueuePosition", "uint32 0");
    harness_assert_property(harness, d, "Arch", "'x86_64'");
    ck_assert_uint_gt(lease_end(harness, c), now() + 400 * G_USEC_PER_SEC);
    ck_assert_uint_eq(harness_count(harness), 3);
}
END_TEST

/* Waits until a client that watches @path is told of a new QueuePosition, and checks it. */
static void wait_position(Harness *harness, const char *path, const char *expected)
{
    bool told = false;

    while (!told) {
        g_autoptr(sd_bus_message) changed = harness_wait_signal(harness, path, "PropertiesChanged");
        g_autoptr(GVariant) interface = NULL, values = NULL, closed = NULL;
        g_autofree const char **names = NULL;

        ck_assert(viommu_bus_variant_read(changed, &interface, NULL));
        ck_assert(viommu_bus_variant_read(changed, &values, NULL));
        ck_assert(viommu_bus_variant_read(changed, &closed, NULL));
        names = g_variant_get_strv(closed, NULL);
        told = g_strv_contains(names, "QueuePosition");
    }
    harness_assert_property(harness, path, "QueuePosition", expected);
}

/* Starts the real busctl beside the harness, with its output in @file, and waits until it
 * listens. */
static GPid start_busctl(Harness *harness, const char *file)
{
    g_autofree char *line =
        g_strdup_printf("exec busctl --address='%s' --json=short monitor " VIOMMU_BUS_NAME " >'%s' 2>&1",
                        harness->address, file);
    char *arguments[] = {(char *)"sh", (char *)"-c", line, NULL};
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    g_autofree char *words = NULL;
    GPid pid;

    ck_assert(g_spawn_async(NULL, arguments, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &pid, NULL));
    while (!words || !strstr(words, "Monitoring bus message stream")) {
        ck_assert_msg(g_get_monotonic_time() < end, "busctl does not listen: %s", words);
        g_usleep(10000);
        g_free(g_steal_pointer(&words));
        (void)g_file_get_contents(file, &words, NULL, NULL);
    }
    return pid;
}

static void assert_monitored(const char *file, const char *path, const char *words)
{
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    g_autofree char *pattern =
        g_strdup_printf("\"path\":\"%s\"[^\n]*\"member\":\"PropertiesChanged\"[^\n]*%s", path, words);
    g_autofree char *text = NULL;

    while (!text || !g_regex_match_simple(pattern, text, 0, 0)) {
        ck_assert_msg(g_get_monotonic_time() < end, "busctl shows no %s: %s", pattern, text);
        g_usleep(10000);
        g_free(g_steal_pointer(&text));
        (void)g_file_get_contents(file, &text, NULL, NULL);
    }
}

/* Each change of the queue is signalled, and busctl shows it, too. */
START_TEST(queue_signals)
{
    static const char *const requests[] = {MACHINE("a", "'bind': <'none'>"), MACHINE("b", "'bind': <'none'>"),
                                           MACHINE("c", "'bind': <'none'>")};
    g_autoptr(Harness) harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL);
    g_autofree char *file = g_build_filename(harness->directory, "busctl", NULL), *b = NULL, *c = NULL;
    const char *const options[] = {"--user", connect, NULL};
    HarnessPending pending[G_N_ELEMENTS(requests)];
    GPid busctl;

    harness_configure(harness, "[daemon]\nrunning-launches=1\n");
    harness_start(harness, options);
    harness_watch(harness);
    busctl = start_busctl(harness, file);
    kill(harness->libvirt_pid, SIGSTOP);
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", requests[i]), &pending[i]);
    b = harness_find(harness, "b");
    c = harness_find(harness, "c");
    harness_assert_property(harness, c, "QueuePosition", "uint32 2");
    harness_stop(harness, b, 0);
    wait_position(harness, c, "uint32 1");
    kill(harness->libvirt_pid, SIGCONT);
    wait_position(harness, c, "uint32 0");
    for (unsigned i = 0; i < G_N_ELEMENTS(requests); i++)
        sd_bus_message_unref(harness_answer(&pending[i]));
    assert_monitored(file, c, "\\[\"QueuePosition\"\\]");
    kill(busctl, SIGTERM);
}
END_TEST

/* When the daemon ends, waiting launches fail; what is under way is finished. */
START_TEST(queue_at_the_end)
{
    g_autoptr(Harness) harness = harness_new(false);
    HarnessPending pending[40];
    unsigned launched = 0;

    start_with(harness, "[daemon]\nrunning-launches=1\nworkers=1\n");
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", "{'arch': <'x86_64'>}"),
                     &pending[i]);
    sd_bus_message_unref(harness_answer(&pending[0]));
    harness_signal(harness, SIGTERM);
    for (unsigned i = 1; i < G_N_ELEMENTS(pending); i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        launched += !sd_bus_message_is_method_error(answer, NULL);
        ck_assert_msg(!sd_bus_message_is_method_error(answer, NULL) ||
                          sd_bus_message_is_method_error(answer, VIOMMU_ERROR_PREFIX "Busy"),
                      "%s", sd_bus_message_get_error(answer)->name);
    }
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    ck_assert_uint_lt(launched, G_N_ELEMENTS(pending));
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"lease-expires", &expires},
    {"lease-grace", &grace},
    {"lease-extends", &extends},
    {"lease-extends-at-once", &extends_at_once},
    {"lease-extend-refused", &extend_refused},
    {"lease-bound", &bound},
    {"lease-bound-while-launching", &bound_while_launching},
    {"lease-over-a-restart", &over_a_restart},
    {"limits", &limits},
    {"queue-waits", &queue},
    {"queue-signals", &queue_signals},
    {"queue-at-the-end", &queue_at_the_end},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    static const char *const need_libvirt[] = {"lease-grace", "lease-over-a-restart", "queue-waits", NULL};

    if (argc > 1 && g_strv_contains(need_libvirt, argv[1]) && !harness_has_libvirt()) {
        puts("SKIP: libvirtd or setpriv is not installed");
        return 77;
    }
    return harness_main(argc, argv, scenarios);
}
