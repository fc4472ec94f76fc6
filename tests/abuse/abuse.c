/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* abuse: the set-up and the checks.  Knows no abuse itself. */
#include "tests/abuse/abuse.h"

#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The rules of the system's bus: nobody may do anything, but for these exceptions. */
#define SYSTEM_RULES                                                                                         \
    "<type>system</type><policy context=\"default\"><allow user=\"*\"/><deny own=\"*\"/>"                    \
    "<deny send_type=\"method_call\"/><allow send_type=\"signal\"/>"                                         \
    "<allow send_requested_reply=\"true\" send_type=\"method_return\"/>"                                     \
    "<allow send_requested_reply=\"true\" send_type=\"error\"/><allow receive_type=\"method_call\"/>"        \
    "<allow receive_type=\"method_return\"/><allow receive_type=\"error\"/><allow receive_type=\"signal\"/>" \
    "<allow send_destination=\"org.freedesktop.DBus\" send_interface=\"org.freedesktop.DBus\"/></policy>"

/* The system's rules, then viommud's as installed, but with the test's user for the service. */
static char *read_rules(void)
{
    g_autofree char *text = NULL, *owner = g_strdup_printf("user=\"%u\"", ABUSE_DAEMON), *rules = NULL;
    g_auto(GStrv) parts = NULL;
    const char *begin, *end;

    ck_assert(g_file_get_contents(BUS_CONF "/org.viommu1.conf", &text, NULL, NULL));
    parts = g_strsplit(text, "user=\"viommu\"", -1);
    ck_assert_uint_eq(g_strv_length(parts), 2);
    rules = g_strjoinv(owner, parts);
    begin = strstr(rules, "<busconfig>");
    end = strstr(rules, "</busconfig>");
    ck_assert(begin && end);
    begin += strlen("<busconfig>");
    return g_strdup_printf(SYSTEM_RULES "%.*s", (int)(end - begin), begin);
}

static Harness *start(const char *limits)
{
    g_autofree char *group = people_group(), *rules = read_rules();
    Harness *harness = harness_new_ruled(rules, ABUSE_DAEMON);
    g_autofree char *directory = g_build_filename(harness->directory, "console", NULL);
    g_autofree char *console = g_strdup_printf("--console-directory=%s", directory);
    g_autofree char *config = g_strdup_printf(PEOPLE_UNBOUND "[daemon]\ngroup=%s\n%s", group, limits);
    const char *const options[] = {"--system", "--connect=test:///default", console, NULL};

    ck_assert_int_eq(g_mkdir(directory, 0700), 0);
    ck_assert_int_eq(chown(directory, ABUSE_DAEMON, ABUSE_DAEMON), 0);
    harness_configure(harness, config);
    harness_start(harness, options);
    return harness;
}

static size_t rss_kib(GPid pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/statm", (int)pid), *text = NULL;
    unsigned long total, resident;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    ck_assert_int_eq(sscanf(text, "%lu %lu", &total, &resident), 2);
    return resident * (size_t)sysconf(_SC_PAGESIZE) / 1024;
}

Abuse *abuse_begin(void)
{
    Abuse *abuse = g_new0(Abuse, 1);
    g_autofree char *path = NULL;

    abuse->harness = start("");
    abuse->pid = abuse->harness->daemon_pid;
    abuse->victim = harness_connect_as(abuse->harness, ABUSE_VICTIM);
    abuse->attacker = harness_connect_as(abuse->harness, PEOPLE_MEMBER);
    for (int i = 0; i < 20; i++) {
        people_allow(abuse->attacker, harness_request(abuse->attacker, "Plan", "{'arch': <'x86_64'>}"));
        g_free(path);
        path = people_launch(abuse->attacker, "warm");
        people_allow(abuse->attacker, people_on_machine(abuse->attacker, path, "Kill"));
    }
    abuse->rss_kib = rss_kib(abuse->pid);
    return abuse;
}

void abuse_end(Abuse *abuse)
{
    unsigned milliseconds = abuse_serve_victim(abuse);
    size_t now = rss_kib(abuse->pid);

    printf("# %zu KiB before, %zu KiB after; the victim is served in %u ms\n", abuse->rss_kib, now,
           milliseconds);
    ck_assert_int_eq(abuse->harness->daemon_pid, abuse->pid);
    ck_assert_uint_eq(harness_count(abuse->harness), 0);
    ck_assert_uint_lt(now, abuse->rss_kib + ABUSE_GROWTH_KIB);
    if (abuse->attacker)
        sd_bus_close_unref(abuse->attacker);
    sd_bus_close_unref(abuse->victim);
    harness_free(abuse->harness);
    g_free(abuse);
}

/* False: dbus-daemon has too many messages waiting for viommud, and refuses more. */
static bool read_property(Abuse *abuse)
{
    sd_bus_message *call = harness_method(abuse->victim, VIOMMU_BUS_PATH, PEOPLE_PROPERTIES, "Get");
    sd_bus_error error = SD_BUS_ERROR_NULL;
    int r;

    ck_assert_int_ge(sd_bus_message_append(call, "ss", VIOMMU_IFACE_MANAGER, "Version"), 0);
    r = sd_bus_call(abuse->victim, call, 0, &error, NULL);
    ck_assert_msg(r >= 0 || sd_bus_error_has_name(&error, SD_BUS_ERROR_LIMITS_EXCEEDED), "%s", error.message);
    sd_bus_error_free(&error);
    sd_bus_message_unref(call);
    return r >= 0;
}

unsigned abuse_serve_victim(Abuse *abuse)
{
    gint64 before = g_get_monotonic_time();
    gint64 usec;

    while (!read_property(abuse) && g_get_monotonic_time() - before < ABUSE_PATIENCE_USEC)
        g_usleep(1000);
    usec = g_get_monotonic_time() - before;
    ck_assert_msg(usec < ABUSE_PATIENCE_USEC, "the victim waited %u ms", (unsigned)(usec / 1000));
    return (unsigned)(usec / 1000);
}
