/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-fairness: one user launches ten thousand machines, another single ones meanwhile; checks the
 * order. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include "daemon/bus/variant.h"
#include "tests/bus/people.h"

#define FLOOD   10000
#define SINGLES 10
#define RUNNING 1

static const char configuration[] =
    "running-launches=1\n[limits]\nmachines=0\npending-launches=20000\npending-launches-per-user=20000\n";

/* --- What each user is told of its own machines, in order --- */

typedef struct Event {
    uint64_t cookie; /* of the signal; cookies grow */
    bool begins;     /* its turn has come; otherwise it waits */
    char *path;
} Event;

static void free_event(void *data)
{
    g_free(((Event *)data)->path);
    g_free(data);
}

static void add_event(GPtrArray *story, sd_bus_message *signal, bool begins, const char *path)
{
    Event *event = g_new(Event, 1);

    *event = (Event){0, begins, g_strdup(path)};
    ck_assert_int_ge(sd_bus_message_get_cookie(signal, &event->cookie), 0);
    g_ptr_array_add(story, event);
}

/* A machine whose turn has come is planned next, and its state is then "defining"; one that never
 * waits appears in that state. */
static bool has_begun(GVariant *properties)
{
    const char *state;

    return g_variant_lookup(properties, "State", "&s", &state) && g_str_equal(state, "defining");
}

static int on_added(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    g_autoptr(GVariant) interfaces = NULL, properties = NULL;
    const char *path;

    ck_assert_int_gt(sd_bus_message_read(signal, "o", &path), 0);
    ck_assert(viommu_bus_variant_read(signal, &interfaces, NULL));
    properties = g_variant_lookup_value(interfaces, VIOMMU_IFACE_MACHINE, G_VARIANT_TYPE_VARDICT);
    add_event(userdata, signal, false, path);
    if (has_begun(properties))
        add_event(userdata, signal, true, path);
    return 0;
}

static int on_changed(sd_bus_message *signal, void *userdata, sd_bus_error *unused)
{
    g_autoptr(GVariant) interface = NULL, values = NULL;

    /* The host may change, too. */
    if (!g_str_has_prefix(sd_bus_message_get_path(signal), VIOMMU_MACHINE_PREFIX))
        return 0;
    ck_assert(viommu_bus_variant_read(signal, &interface, NULL));
    ck_assert(viommu_bus_variant_read(signal, &values, NULL));
    if (has_begun(values))
        add_event(userdata, signal, true, sd_bus_message_get_path(signal));
    return 0;
}

static void listen_on(sd_bus *bus, GPtrArray *story)
{
    ck_assert_int_ge(sd_bus_match_signal(bus, NULL, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, NULL, "InterfacesAdded",
                                         on_added, story),
                     0);
    ck_assert_int_ge(sd_bus_match_signal(bus, NULL, VIOMMU_BUS_NAME, NULL, PEOPLE_PROPERTIES,
                                         "PropertiesChanged", on_changed, story),
                     0);
}

static int compare_events(const void *a, const void *b)
{
    const Event *first = *(Event *const *)a, *second = *(Event *const *)b;

    if (first->cookie != second->cookie)
        return first->cookie < second->cookie ? -1 : 1;
    return (int)first->begins - (int)second->begins;
}

static int find(const GPtrArray *story, bool begins, const char *path)
{
    for (guint i = 0; i < story->len; i++) {
        const Event *event = g_ptr_array_index(story, i);
        if (event->begins == begins && g_str_equal(event->path, path))
            return (int)i;
    }
    return -1;
}

/* How many others were served before it while it waited. */
static unsigned count_before(const GPtrArray *story, const char *path)
{
    int begin = find(story, false, path), end = find(story, true, path);
    unsigned n = 0;

    ck_assert_int_ge(begin, 0);
    ck_assert_int_gt(end, begin);
    for (int i = begin; i < end; i++)
        n += ((const Event *)g_ptr_array_index(story, (guint)i))->begins;
    return n;
}

/* --- The two users --- */

static sd_bus_message *named(sd_bus *bus, const char *prefix, unsigned i)
{
    g_autofree char *text =
        g_strdup_printf("{'name': <'%s-%u'>, 'arch': <'x86_64'>, 'memory': <'64 MiB'>}", prefix, i);

    return harness_request(bus, "Launch", text);
}

/* Launches one after the other.  Paths, owned; the mean time of each in *ret_usec. */
static GPtrArray *launch_singly(sd_bus *bus, const char *prefix, gint64 *ret_usec)
{
    GPtrArray *paths = g_ptr_array_new_with_free_func(g_free);
    gint64 began = g_get_monotonic_time();

    for (unsigned i = 0; i < SINGLES; i++) {
        g_autoptr(sd_bus_message) answer = people_assert_allowed(bus, named(bus, prefix, i));
        const char *path;
        ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
        g_ptr_array_add(paths, g_strdup(path));
    }
    *ret_usec = (g_get_monotonic_time() - began) / SINGLES;
    return paths;
}

static int ignore_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    ++*(unsigned *)userdata;
    return 0;
}

static void flood(sd_bus *bus, unsigned *ret_answered)
{
    for (unsigned i = 0; i < FLOOD; i++) {
        g_autoptr(sd_bus_message) call = named(bus, "flood", i);
        ck_assert_int_ge(sd_bus_call_async(bus, NULL, call, ignore_answer, ret_answered, UINT64_MAX), 0);
    }
    ck_assert_int_ge(sd_bus_flush(bus), 0);
}

/* Collects the signals on @bus until the turn of @last, of another bus, has come. */
static void hear_all(sd_bus *bus, const GPtrArray *story, const char *last)
{
    uint64_t end = ((const Event *)g_ptr_array_index(story, (guint)find(story, true, last)))->cookie;

    for (int r = 1; ((const Event *)g_ptr_array_index(story, story->len - 1))->cookie <= end;) {
        if (r == 0)
            ck_assert_int_gt(sd_bus_wait(bus, HARNESS_PATIENCE_USEC), 0);
        r = sd_bus_process(bus, NULL);
        ck_assert_int_ge(r, 0);
    }
}

START_TEST(fairness)
{
    g_autoptr(Harness) harness = people_new_configured(configuration);
    g_autoptr(GPtrArray) story = g_ptr_array_new_with_free_func(free_event), alone = NULL, meanwhile = NULL;
    g_autoptr(sd_bus) crowd = harness_connect_as(harness, PEOPLE_MEMBER);
    gint64 usec_alone, usec_meanwhile;
    unsigned answered = 0, most = 0;

    alone = launch_singly(harness->bus, "alone", &usec_alone);
    listen_on(harness->bus, story);
    listen_on(crowd, story);
    flood(crowd, &answered);
    meanwhile = launch_singly(harness->bus, "meanwhile", &usec_meanwhile);
    hear_all(crowd, story, meanwhile->pdata[SINGLES - 1]);
    g_ptr_array_sort(story, compare_events);
    for (guint i = 0; i < meanwhile->len; i++)
        most = MAX(most, count_before(story, meanwhile->pdata[i]));
    printf("a launch alone: %.1f ms; between %d of another user: %.1f ms, %.1f times; at most %u of these "
           "before it\n",
           (double)usec_alone / 1000, FLOOD, (double)usec_meanwhile / 1000,
           (double)usec_meanwhile / (double)usec_alone, most);
    /* Machines that have left the queue and are not planned yet. */
    ck_assert_uint_le(most, RUNNING);
    /* The flood was still waiting. */
    ck_assert_uint_lt(answered, FLOOD);
    harness_signal(harness, SIGTERM);
    ck_assert_int_eq(harness_wait_exit(harness), 0);
}
END_TEST

static const HarnessScenario scenarios[] = {{"fairness", &fairness}, {NULL, NULL}};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
