/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-listing: answers about more machines than one step of viommud's loop can tell of, while
 * machines come and go, for many callers, and for callers that leave. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "daemon/bus/variant.h"
#include "tests/bus/harness.h"

#define MACHINES 1000

static const char *const ready_options[] = {"--user", "--connect=test:///default", NULL};

/* A machine that viommud has launched, as libvirt knows it. */
static char *launched_xml(Harness *harness)
{
    g_autofree char *path = NULL;
    g_autoptr(sd_bus_message) reply = NULL;
    const char *xml;

    harness_configure(harness, "[limits]\nmachines=0\n");
    harness_start(harness, ready_options);
    path = harness_launch(harness, "{'name': <'listed'>, 'arch': <'x86_64'>}");
    reply = harness_call(harness, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "GetDomainXML"));
    ck_assert_int_gt(sd_bus_message_read(reply, "s", &xml), 0);
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
    return g_strdup(xml);
}

static char *replace(const char *text, const char *old, const char *new)
{
    g_auto(GStrv) parts = g_strsplit(text, old, -1);

    return g_strjoinv(new, parts);
}

static char *uuid_of(unsigned i)
{
    return g_strdup_printf("%08x-0000-4000-8000-000000000000", i);
}

static char *path_of(unsigned i)
{
    g_autofree char *uuid = uuid_of(i);

    return g_strdup_printf("%s/%s", VIOMMU_MACHINE_PREFIX, g_strdelimit(uuid, "-", '_'));
}

/* The machines, for libvirt's test driver. */
static char *write_domains(Harness *harness)
{
    g_autofree char *xml = launched_xml(harness),
                    *file = g_build_filename(harness->directory, "domains", NULL);
    g_autofree char *first_uuid = g_strndup(strstr(xml, "<uuid>") + strlen("<uuid>"), 36);
    g_autoptr(GString) text = g_string_new("<node>");

    for (unsigned i = 0; i < MACHINES; i++) {
        g_autofree char *name = g_strdup_printf("listed-%u", i), *uuid = uuid_of(i),
                        *named = replace(xml, "listed", name), *whole = replace(named, first_uuid, uuid);

        /* Behind its attributes; among them is the id of the guest that ran. */
        g_string_append_printf(text, "<domain type='qemu'%s", strchr(whole, '>'));
    }
    g_string_append(text, "</node>");
    ck_assert(g_file_set_contents(file, text->str, -1, NULL));
    return g_steal_pointer(&file);
}

/* A viommud that has found its machines. */
static Harness *start_with_many(void)
{
    Harness *harness = harness_new(false);
    g_autofree char *file = write_domains(harness), *connect = g_strdup_printf("--connect=test://%s", file);
    const char *const options[] = {"--user", connect, NULL};

    harness_start(harness, options);
    while (harness_count(harness) < MACHINES)
        g_usleep(50 * 1000);
    return harness;
}

/* The paths in the answer of GetManagedObjects.  A set, owned. */
static GHashTable *read_paths(sd_bus_message *answer)
{
    GHashTable *paths = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    const char *path;

    ck_assert_msg(!sd_bus_message_is_method_error(answer, NULL), "%s",
                  sd_bus_message_get_error(answer)->message);
    ck_assert_int_gt(sd_bus_message_enter_container(answer, 'a', "{oa{sa{sv}}}"), 0);
    while (sd_bus_message_enter_container(answer, 'e', "oa{sa{sv}}") > 0) {
        ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
        ck_assert_msg(g_hash_table_add(paths, g_strdup(path)), "%s is there twice", path);
        ck_assert_int_gt(sd_bus_message_skip(answer, "a{sa{sv}}"), 0);
        ck_assert_int_ge(sd_bus_message_exit_container(answer), 0);
    }
    return paths;
}

/* Of these many at once. */
#define KILLED   12
#define LAUNCHED 3
#define ROUNDS   20

static sd_bus_message *list_all(sd_bus *bus)
{
    return harness_method(bus, VIOMMU_BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
}

/* --- While machines come and go --- */

/* What a client knows of the machines: first by the answer, then by the signals behind it. */
typedef struct View {
    GHashTable *paths; /* NULL: the answer has not come */
    unsigned repeated; /* signals behind it that are for this client only */
} View;

static int on_added(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    View *view = userdata;
    const char *path;

    ck_assert_int_gt(sd_bus_message_read(signal, "o", &path), 0);
    if (view->paths)
        g_hash_table_add(view->paths, g_strdup(path));
    return 0;
}

static int on_removed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    View *view = userdata;
    const char *path;

    ck_assert_int_gt(sd_bus_message_read(signal, "o", &path), 0);
    if (view->paths && g_hash_table_remove(view->paths, path) && sd_bus_message_get_destination(signal))
        view->repeated++;
    return 0;
}

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    ((View *)userdata)->paths = read_paths(answer);
    return 0;
}

static sd_bus *watch(Harness *harness, View *view)
{
    sd_bus *bus = harness_connect(harness);

    ck_assert_int_ge(sd_bus_match_signal(bus, NULL, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, NULL, "InterfacesAdded",
                                         on_added, view),
                     0);
    ck_assert_int_ge(sd_bus_match_signal(bus, NULL, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, NULL,
                                         "InterfacesRemoved", on_removed, view),
                     0);
    return bus;
}

static void process_until(sd_bus *bus, GHashTable *const *answer)
{
    while (!*answer) {
        int r = sd_bus_process(bus, NULL);

        ck_assert_int_ge(r, 0);
        if (r == 0)
            ck_assert_int_gt(sd_bus_wait(bus, HARNESS_PATIENCE_USEC), 0);
    }
}

static void ask(sd_bus *bus, View *view)
{
    g_autoptr(sd_bus_message) call = list_all(bus);

    ck_assert_int_ge(sd_bus_call_async(bus, NULL, call, on_answer, view, HARNESS_PATIENCE_USEC), 0);
    ck_assert_int_ge(sd_bus_flush(bus), 0);
}

/* A round trip: all signals before it have come. */
static GHashTable *paths_now(sd_bus *bus)
{
    View view = {0};

    ask(bus, &view);
    process_until(bus, &view.paths);
    return view.paths;
}

static void assert_same(GHashTable *one, GHashTable *other)
{
    GHashTableIter iterator;
    void *path;

    ck_assert_uint_eq(g_hash_table_size(one), g_hash_table_size(other));
    g_hash_table_iter_init(&iterator, one);
    while (g_hash_table_iter_next(&iterator, &path, NULL))
        ck_assert_msg(g_hash_table_contains(other, path), "%s", (char *)path);
}

static void assert_done(HarnessPending *pending)
{
    sd_bus_message *answer = harness_answer(pending);

    ck_assert(!sd_bus_message_is_method_error(answer, NULL));
    sd_bus_message_unref(answer);
}

/* Some machines end, and others begin, while the answer is made.  Returns how many signals were
 * repeated behind it. */
static unsigned list_meanwhile(Harness *harness, unsigned round)
{
    View view = {0};
    g_autoptr(sd_bus) bus = watch(harness, &view);
    HarnessPending killed[KILLED], launched[LAUNCHED];
    g_autoptr(GHashTable) now = NULL;

    ask(bus, &view);
    for (unsigned i = 0; i < KILLED; i++) {
        g_autofree char *path = path_of(round * KILLED + i);

        harness_send(harness->bus, harness_method(harness->bus, path, VIOMMU_IFACE_MACHINE, "Kill"),
                     &killed[i]);
    }
    for (unsigned i = 0; i < LAUNCHED; i++)
        harness_send(harness->bus, harness_request(harness->bus, "Launch", "{'arch': <'x86_64'>}"),
                     &launched[i]);
    for (unsigned i = 0; i < KILLED; i++)
        assert_done(&killed[i]);
    for (unsigned i = 0; i < LAUNCHED; i++)
        assert_done(&launched[i]);
    process_until(bus, &view.paths);
    now = paths_now(bus);
    assert_same(view.paths, now);
    g_hash_table_unref(view.paths);
    return view.repeated;
}

START_TEST(come_and_go)
{
    g_autoptr(Harness) harness = start_with_many();
    unsigned repeated = 0, round = 0;

    /* A machine whose part was made must have ended before the answer was complete. */
    while (repeated == 0 && round < ROUNDS)
        repeated = list_meanwhile(harness, round++);
    printf("# %u rounds, %u signals repeated\n", round, repeated);
    ck_assert_uint_gt(repeated, 0);
}
END_TEST

/* --- Many callers --- */

#define CALLERS 24
/* How much viommud may grow meanwhile.  A sanitizer keeps freed memory. */
#ifdef __SANITIZE_ADDRESS__
#define GROWTH_KIB (1024u * 1024)
#else
#define GROWTH_KIB (CALLERS * 1024u / 4)
#endif

/* In KiB. */
static guint64 peak(const Harness *harness)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/status", (int)harness->daemon_pid), *text = NULL;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    return g_ascii_strtoull(strstr(text, "VmHWM:") + strlen("VmHWM:"), NULL, 10);
}

/* Each is answered, and others between them; viommud never has more than some answers at a time,
 * each of which takes more than a megabyte. */
START_TEST(many_callers)
{
    g_autoptr(Harness) harness = start_with_many();
    sd_bus *callers[CALLERS];
    HarnessPending pending[CALLERS];
    guint64 before, grown;
    unsigned left = 0;

    for (unsigned i = 0; i < CALLERS; i++)
        callers[i] = harness_connect(harness);
    before = peak(harness);
    for (unsigned i = 0; i < CALLERS; i++) {
        harness_send(callers[i], list_all(callers[i]), &pending[i]);
        ck_assert_int_ge(sd_bus_flush(callers[i]), 0);
    }
    /* It does not wait for all these answers. */
    sd_bus_message_unref(harness_call(
        harness, harness_method(harness->bus, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping")));
    for (unsigned i = 0; i < CALLERS; i++) {
        ck_assert_int_ge(sd_bus_process(callers[i], NULL), 0);
        left += !pending[i].answer;
    }
    ck_assert_uint_gt(left, CALLERS / 2);
    for (unsigned i = 0; i < CALLERS; i++) {
        g_autoptr(GHashTable) paths = read_paths(harness_answer(&pending[i]));

        ck_assert_uint_eq(g_hash_table_size(paths), MACHINES);
        sd_bus_message_unref(pending[i].answer);
        sd_bus_flush_close_unref(callers[i]);
    }
    grown = peak(harness) - before;
    printf("# %d answers at once: %" G_GUINT64_FORMAT " KiB more at the peak\n", CALLERS, grown);
    ck_assert_uint_lt(grown, GROWTH_KIB);
}
END_TEST

/* --- Callers that leave --- */

/* The CPU time of viommud's loop, in nanoseconds. */
static guint64 cpu_time(const Harness *harness)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/schedstat", (int)harness->daemon_pid), *text = NULL;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    return g_ascii_strtoull(text, NULL, 10);
}

/* Their answers are not made. */
START_TEST(callers_leave)
{
    g_autoptr(Harness) harness = start_with_many();
    guint64 began = cpu_time(harness), one, all;
    g_autoptr(GHashTable) paths = NULL;
    sd_bus *leaving = harness_connect(harness);

    sd_bus_message_unref(harness_call(harness, list_all(harness->bus)));
    one = cpu_time(harness) - began;
    began = cpu_time(harness);
    for (unsigned i = 0; i < CALLERS; i++) {
        g_autoptr(sd_bus_message) call = list_all(leaving);
        uint64_t cookie;

        ck_assert_int_ge(sd_bus_send(leaving, call, &cookie), 0);
    }
    /* A round trip: viommud has taken all the calls. */
    ck_assert_int_ge(sd_bus_call_method(leaving, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH,
                                        "org.freedesktop.DBus.Peer", "Ping", NULL, NULL, NULL),
                     0);
    sd_bus_close_unref(leaving);
    paths = paths_now(harness->bus);
    ck_assert_uint_eq(g_hash_table_size(paths), MACHINES);
    all = cpu_time(harness) - began;
    printf("# one answer takes %.1f ms of CPU time, %d that nobody waits for and one more %.1f ms\n",
           (double)one / 1e6, CALLERS, (double)all / 1e6);
    ck_assert_uint_lt(all, one * CALLERS / 3);
}
END_TEST

static const HarnessScenario scenarios[] = {{"listing-come-and-go", &come_and_go},
                                            {"listing-many-callers", &many_callers},
                                            {"listing-callers-leave", &callers_leave},
                                            {NULL, NULL}};

int main(int argc, char **argv)
{
    return harness_main(argc, argv, scenarios);
}
