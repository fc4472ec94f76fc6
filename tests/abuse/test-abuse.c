/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-abuse: abuse by an unprivileged member of the group over a real bus: each one ends in a
 * named error, or is refused by the bus, and harms neither the daemon nor other users. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "tests/abuse/abuse.h"
#include "tests/abuse/raw.h"

static void refused(Abuse *abuse, const char *request, const char *words)
{
    g_autoptr(sd_bus_message) answer =
        people_exchange(abuse->attacker, harness_request(abuse->attacker, "Launch", request));

    people_assert_error(answer, "InvalidRequest", words);
}

/* --- Strings --- */

START_TEST(hostile_strings)
{
    static const char *const names[] = {"<a/>", "a&amp;b", "a'b", "../../etc", "a\\nb",
                                        "-rf",  ".",       "a b", "\\u202e",   ""};
    static const char *const texts[] = {"\\n", "\\u0001", "\\u001b[31m", "\\u007f"};
    g_autoptr(Abuse) abuse = abuse_begin();

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *request = g_strdup_printf("{'name': <\"%s\">}", names[i]);
        refused(abuse, request, "name");
    }
    for (size_t i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *request = g_strdup_printf("{'arch': <\"%s\">}", texts[i]);
        g_autofree char *cmdline =
            g_strdup_printf("{'boot': <{'kernel': <'/k'>, 'cmdline': <\"a%sb\">}>}", texts[i]);
        refused(abuse, request, "arch");
        refused(abuse, cmdline, "boot.cmdline");
    }
}
END_TEST

/* Allowed text comes back from libvirt unchanged, and creates no element. */
START_TEST(metacharacters)
{
    static const char text[] = "]]><evil a=\\\"1\\\"/>&lt;'<!--";
    g_autoptr(Abuse) abuse = abuse_begin();
    g_autofree char *request = g_strdup_printf(
        "{'name': <'meta'>, 'arch': <'x86_64'>, 'request-id': <\"%s\">, 'guest': <{'os': <\"%s\">}>}", text,
        text);
    g_autoptr(sd_bus_message) answer =
        people_assert_allowed(abuse->attacker, harness_request(abuse->attacker, "Launch", request));
    g_autoptr(sd_bus_message) domain = NULL;
    const char *path = NULL, *xml = NULL;

    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    domain = people_assert_allowed(abuse->attacker, people_on_machine(abuse->attacker, path, "GetDomainXML"));
    ck_assert_int_gt(sd_bus_message_read(domain, "s", &xml), 0);
    ck_assert_ptr_null(strstr(xml, "<evil"));
    people_allow(abuse->attacker, people_on_machine(abuse->attacker, path, "Kill"));
}
END_TEST

START_TEST(huge_strings)
{
    static const char *const keys[] = {"name", "arch", "machine", "request-id", "memory", "nonsense"};
    g_autoptr(Abuse) abuse = abuse_begin();
    g_autofree char *text = g_malloc(1024 * 1024 + 1);

    memset(text, 'a', 1024 * 1024);
    text[1024 * 1024] = '\0';
    for (size_t i = 0; i < G_N_ELEMENTS(keys); i++) {
        sd_bus_message *call =
            harness_method(abuse->attacker, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
        g_autoptr(sd_bus_message) answer = NULL;
        const sd_bus_error *error;

        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, keys[i], "s", text), 0);
        answer = people_exchange(abuse->attacker, call);
        people_assert_error(answer, "InvalidRequest", "");
        error = sd_bus_message_get_error(answer);
        ck_assert_msg(strlen(error->message) < 4096, "the text comes back in the message");
    }
    /* The text as a key, too. */
    sd_bus_message *call = harness_method(abuse->attacker, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, text, "b", 1), 0);
    g_autoptr(sd_bus_message) answer = people_exchange(abuse->attacker, call);
    people_assert_error(answer, "InvalidRequest", "");
}
END_TEST

START_TEST(deep_and_doubled)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    sd_bus_message *call = harness_method(abuse->attacker, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    g_autoptr(sd_bus_message) answer = NULL, doubled = NULL;
    int depth = 0, r;

    ck_assert_int_ge(sd_bus_message_open_container(call, 'a', "{sv}"), 0);
    ck_assert_int_ge(sd_bus_message_open_container(call, 'e', "sv"), 0);
    ck_assert_int_ge(sd_bus_message_append(call, "s", "iommu"), 0);
    /* As deep as a message can be. */
    while (depth < 60 && sd_bus_message_open_container(call, 'v', depth < 59 ? "v" : "b") >= 0)
        depth++;
    ck_assert_int_ge(sd_bus_message_append(call, "b", 1), 0);
    for (; depth > 0; depth--)
        ck_assert_int_ge(sd_bus_message_close_container(call), 0);
    ck_assert_int_ge(sd_bus_message_close_container(call), 0);
    r = sd_bus_message_close_container(call);
    ck_assert_int_ge(r, 0);
    answer = people_exchange(abuse->attacker, call);
    people_assert_error(answer, "InvalidRequest", "");

    call = harness_method(abuse->attacker, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 2, "vcpus", "u", 1u, "vcpus", "u", 2u), 0);
    doubled = people_exchange(abuse->attacker, call);
    people_assert_error(doubled, "InvalidRequest", "vcpus");
}
END_TEST

/* --- Invalid messages --- */

/* The bus disconnects a client that sends an invalid message, which never reaches the daemon. */
START_TEST(broken_messages)
{
    static const struct {
        const char *text;
        size_t length;
    } bodies[] = {{"a\xff\xfe", 3}, {"\xc0\x80", 2}, {"\xed\xa0\x80", 3}, {"a\0b", 3}};
    static const char noise[] = "\x6c\x01\x00\x01\xff\xff\xff\xff\x01\x00\x00\x00\xff\xff\xff\x7f";
    g_autoptr(Abuse) abuse = abuse_begin();
    int fd = raw_connect(abuse->harness);

    /* A valid message is delivered and answered. */
    raw_get_machine(fd, "nobody", 6);
    ck_assert(raw_hears(fd, VIOMMU_ERROR_PREFIX "NotFound"));
    close(fd);
    for (size_t i = 0; i < G_N_ELEMENTS(bodies); i++) {
        fd = raw_connect(abuse->harness);
        raw_get_machine(fd, bodies[i].text, bodies[i].length);
        ck_assert_msg(!raw_hears(fd, VIOMMU_ERROR_PREFIX), "text %zu was delivered", i);
        close(fd);
        abuse_serve_victim(abuse);
    }
    fd = raw_connect(abuse->harness);
    raw_send(fd, noise, sizeof(noise) - 1);
    ck_assert(!raw_hears(fd, VIOMMU_ERROR_PREFIX));
    close(fd);
}
END_TEST

/* viommud believes only the bus: about the owner of a name, and on its other connection. */
START_TEST(signals)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    int fd = raw_connect(abuse->harness);
    char **names = NULL;
    unsigned refused = 0;

    ck_assert_int_ge(sd_bus_list_names(abuse->harness->bus, &names, NULL), 0);
    for (char **name = names; *name; name++) {
        pid_t pid = 0;
        sd_bus_creds *creds = NULL;

        if (sd_bus_get_name_creds(abuse->harness->bus, *name, SD_BUS_CREDS_PID, &creds) >= 0)
            (void)sd_bus_creds_get_pid(creds, &pid);
        sd_bus_creds_unref(creds);
        if (pid != abuse->pid)
            continue;
        raw_signal(fd, *name);
        ck_assert(raw_hears(fd, "AccessDenied"));
        refused++;
    }
    ck_assert_uint_eq(refused, 3);
    g_strfreev(names);
    close(fd);
}
END_TEST

/* --- Floods --- */

/* On the system's bus, a connection may have 128 pending replies. */
#define FLOOD         (10000 / ABUSE_SLOWNESS / ABUSE_SLOWNESS)
#define FLOOD_CLIENTS 80
#define FLOOD_USEC    (150 * G_USEC_PER_SEC)

/* Ten thousand calls at once.  Each gets a reply or a named error. */
START_TEST(flood)
{
    static const char *const members[] = {"Plan", "Launch", "Check"};
    g_autoptr(Abuse) abuse = abuse_begin();
    g_autofree HarnessPending *pending = g_new0(HarnessPending, FLOOD);
    sd_bus *clients[FLOOD_CLIENTS];
    unsigned longest = 0, errors = 0, of_bus = 0;

    /* The time for all of them depends on the machine; the victim's wait does not. */
    for (size_t i = 0; i < FLOOD_CLIENTS; i++) {
        clients[i] = harness_connect_as(abuse->harness, PEOPLE_MEMBER);
        ck_assert_int_ge(sd_bus_set_method_call_timeout(clients[i], FLOOD_USEC), 0);
    }

    for (size_t i = 0; i < FLOOD; i++) {
        g_autofree char *text =
            g_strdup_printf("{'arch': <'x86_64'>, 'name': <'flood-%zu'>, 'lease': <{'seconds': <1>}>}", i);

        sd_bus *client = clients[i % FLOOD_CLIENTS];

        harness_send(client, harness_request(client, members[i % G_N_ELEMENTS(members)], text), &pending[i]);
        if (i % (FLOOD / 10) == 0)
            longest = MAX(longest, abuse_serve_victim(abuse));
    }
    for (size_t i = 0; i < FLOOD; i++) {
        sd_bus_message *answer = harness_answer(&pending[i]);
        const sd_bus_error *error = sd_bus_message_get_error(answer);

        errors += error != NULL;
        of_bus += error && g_str_equal(error->name, SD_BUS_ERROR_LIMITS_EXCEEDED);
        ck_assert_msg(!error || g_str_has_prefix(error->name, VIOMMU_ERROR_PREFIX) ||
                          g_str_equal(error->name, SD_BUS_ERROR_LIMITS_EXCEEDED),
                      "%s: %s", error ? error->name : "", error ? error->message : "");
        sd_bus_message_unref(answer);
    }
    printf("# %u of %d calls refused, %u of them by the bus; the victim never waited longer than %u ms\n",
           errors, FLOOD, of_bus, longest);
    /* The daemon answers most of them, not the bus. */
    ck_assert_uint_lt(of_bus, FLOOD / 2);
    for (size_t i = 0; i < FLOOD_CLIENTS; i++)
        sd_bus_close_unref(clients[i]);
    while (harness_count(abuse->harness) > 0)
        g_usleep(100 * 1000);
}
END_TEST

/* One client sends calls and never reads the replies, another subscribes to signals and never reads
 * them. */
START_TEST(deaf_clients)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    sd_bus *deaf = harness_connect_as(abuse->harness, PEOPLE_MEMBER),
           *subscriber = harness_connect_as(abuse->harness, PEOPLE_OUTSIDER);
    unsigned longest = 0;

    ck_assert_int_ge(
        sd_bus_match_signal_async(subscriber, NULL, VIOMMU_BUS_NAME, NULL, NULL, NULL, NULL, NULL, NULL), 0);
    ck_assert_int_ge(sd_bus_flush(subscriber), 0);
    for (int i = 0; i < 5000 / ABUSE_SLOWNESS; i++) {
        sd_bus_message *call =
            harness_request(deaf, "Plan", "{'arch': <'x86_64'>, 'iommu': <{'is-supported': <true>}>}");
        /* Without a cookie sd-bus would mark the call as one without a reply. */
        uint64_t cookie;
        int r = sd_bus_send(deaf, call, &cookie);

        sd_bus_message_unref(call);
        /* The bus may disconnect the client. */
        if (r < 0)
            break;
    }
    for (int i = 0; i < 300 / ABUSE_SLOWNESS; i++) {
        g_autofree char *path = people_launch(abuse->attacker, "noisy");

        people_allow(abuse->attacker, people_on_machine(abuse->attacker, path, "Kill"));
        if (i % 50 == 0)
            longest = MAX(longest, abuse_serve_victim(abuse));
    }
    printf("# the victim never waited longer than %u ms\n", longest);
    sd_bus_close_unref(deaf);
    sd_bus_close_unref(subscriber);
}
END_TEST

static void send_unanswered(sd_bus *client, sd_bus_message *call)
{
    ck_assert_int_ge(sd_bus_message_set_expect_reply(call, 0), 0);
    ck_assert_int_ge(sd_bus_send(client, call, NULL), 0);
    sd_bus_message_unref(call);
}

#define QUESTIONS (500 / ABUSE_SLOWNESS)
#define MACHINES  20

static sd_bus_message *list_all(sd_bus *client)
{
    return harness_method(client, VIOMMU_BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects");
}

/* The CPU time of viommud's main thread, in nanoseconds. */
static guint64 cpu_time(const Abuse *abuse)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/schedstat", (int)abuse->pid), *text = NULL;

    ck_assert(g_file_get_contents(path, &text, NULL, NULL));
    return g_ascii_strtoull(text, NULL, 10);
}

/* A call that wants no reply is dropped: it costs a fiftieth of an answered call, and nine tenths
 * if it is not dropped. */
static void assert_dropped(Abuse *abuse)
{
    guint64 began = cpu_time(abuse), answered, dropped;

    for (int i = 0; i < QUESTIONS; i++)
        people_allow(abuse->attacker, list_all(abuse->attacker));
    answered = cpu_time(abuse) - began;
    began = cpu_time(abuse);
    for (int i = 0; i < QUESTIONS; i++)
        send_unanswered(abuse->attacker, list_all(abuse->attacker));
    /* A round trip: all calls have arrived. */
    people_allow(abuse->attacker,
                 harness_method(abuse->attacker, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping"));
    dropped = cpu_time(abuse) - began;
    printf("# %d answered in %.1f ms of CPU time, dropped in %.1f ms\n", QUESTIONS, (double)answered / 1e6,
           (double)dropped / 1e6);
    ck_assert_msg(dropped < answered / 5, "%.1f ms, %.1f ms", (double)answered / 1e6, (double)dropped / 1e6);
}

/* A call that acts is executed, even if it wants no reply. */
START_TEST(no_answers_wanted)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    char *machines[MACHINES];

    for (size_t i = 0; i < MACHINES; i++) {
        g_autofree char *name = g_strdup_printf("listed-%zu", i);
        machines[i] = people_launch(abuse->attacker, name);
    }
    assert_dropped(abuse);
    for (size_t i = 0; i < MACHINES; i++) {
        people_allow(abuse->attacker, people_on_machine(abuse->attacker, machines[i], "Kill"));
        g_free(machines[i]);
    }
    send_unanswered(abuse->attacker, harness_request(abuse->attacker, "Launch",
                                                     "{'arch': <'x86_64'>, 'name': <'unanswered'>}"));
    ck_assert_int_ge(sd_bus_flush(abuse->attacker), 0);
    abuse_serve_victim(abuse);
    while (harness_count(abuse->harness) == 0)
        g_usleep(20 * 1000);
    sd_bus_message *call =
        harness_method(abuse->attacker, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetMachine");
    const char *path;
    ck_assert_int_ge(sd_bus_message_append(call, "s", "unanswered"), 0);
    g_autoptr(sd_bus_message) answer = people_assert_allowed(abuse->attacker, call);
    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    people_allow(abuse->attacker, people_on_machine(abuse->attacker, path, "Kill"));
}
END_TEST

/* --- Races --- */

/* Two users request one name at the same time: one of them gets it. */
START_TEST(one_name)
{
    g_autoptr(Abuse) abuse = abuse_begin();

    for (int i = 0; i < 50; i++) {
        static const char text[] = "{'name': <'mine'>, 'arch': <'x86_64'>}";
        HarnessPending pending[2];
        sd_bus *callers[] = {abuse->attacker, abuse->harness->bus};
        int winners = 0;

        for (int j = 0; j < 2; j++) {
            harness_send(callers[j], harness_request(callers[j], "Launch", text), &pending[j]);
            ck_assert_int_ge(sd_bus_flush(callers[j]), 0);
        }
        for (int j = 0; j < 2; j++) {
            g_autoptr(sd_bus_message) answer = harness_answer(&pending[j]);
            const char *path;

            if (sd_bus_message_is_method_error(answer, NULL)) {
                people_assert_error(answer, "Exists", "mine");
                continue;
            }
            winners++;
            ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
            people_allow(callers[j], people_on_machine(callers[j], path, "Kill"));
        }
        ck_assert_int_ge(winners, 1);
        ck_assert_uint_eq(harness_count(abuse->harness), 0);
    }
}
END_TEST

/* A repeated request-id gives the same machine; the same id of another user is another request. */
START_TEST(resent)
{
    static const char text[] = "{'arch': <'x86_64'>, 'request-id': <'same'>}";
    g_autoptr(Abuse) abuse = abuse_begin();
    g_autofree char *first = NULL, *theirs = NULL;

    for (int i = 0; i < 20; i++) {
        g_autoptr(sd_bus_message) answer =
            people_assert_allowed(abuse->attacker, harness_request(abuse->attacker, "Launch", text));
        const char *path;

        ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
        ck_assert(!first || g_str_equal(first, path));
        g_free(first);
        first = g_strdup(path);
    }
    theirs = harness_launch(abuse->harness, text);
    ck_assert_str_ne(first, theirs);
    ck_assert_uint_eq(harness_count(abuse->harness), 2);
    people_assert_refused(abuse->attacker, people_on_machine(abuse->attacker, theirs, "Kill"), "");
    people_allow(abuse->attacker, people_on_machine(abuse->attacker, first, "Kill"));
    harness_stop(abuse->harness, theirs, -1);
}
END_TEST

/* The client disconnects at each moment of a launch and of a stop; its bound machines go with
 * it. */
START_TEST(leaving_at_every_phase)
{
    g_autoptr(Abuse) abuse = abuse_begin();

    for (unsigned i = 0; i < 120; i++) {
        sd_bus *client = harness_connect_as(abuse->harness, PEOPLE_MEMBER);
        g_autofree char *text = g_strdup_printf(
            "{'name': <'leaver-%u'>, 'arch': <'x86_64'>, 'lease': <{'bind': <'client'>}>, 'wait': <'%s'>}", i,
            i % 2 ? "planned" : "started");
        HarnessPending pending;

        harness_send(client, harness_request(client, "Launch", text), &pending);
        ck_assert_int_ge(sd_bus_flush(client), 0);
        if (i % 3 == 2) {
            g_autoptr(sd_bus_message) answer = harness_answer(&pending);
            const char *path;

            ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
            HarnessPending kill;
            harness_send(client, people_on_machine(client, path, "Kill"), &kill);
            ck_assert_int_ge(sd_bus_flush(client), 0);
        }
        g_usleep(i * 100);
        sd_bus_close_unref(client);
    }
    while (harness_count(abuse->harness) > 0)
        g_usleep(20 * 1000);
}
END_TEST

/* --- Machines of other users --- */

START_TEST(of_another)
{
    static const char *const members[] = {"Kill", "Reset", "GetDomainXML"};
    g_autoptr(Abuse) abuse = abuse_begin();
    g_autofree char *path =
        harness_launch(abuse->harness, "{'name': <'theirs'>, 'arch': <'x86_64'>, 'request-id': <'secret'>}");
    g_autoptr(sd_bus_message) all = NULL;
    sd_bus_message *stop = people_on_machine(abuse->attacker, path, "Stop");

    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        people_assert_refused(abuse->attacker, people_on_machine(abuse->attacker, path, members[i]), "");
    ck_assert_int_ge(sd_bus_message_append(stop, "u", 0u), 0);
    people_assert_refused(abuse->attacker, stop, "");
    ck_assert_uint_eq(harness_count(abuse->harness), 1);
    harness_stop(abuse->harness, path, -1);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"hostile-strings", &hostile_strings},
    {"metacharacters", &metacharacters},
    {"huge-strings", &huge_strings},
    {"deep-and-doubled", &deep_and_doubled},
    {"broken-messages", &broken_messages},
    {"signals", &signals},
    {"flood", &flood},
    {"deaf-clients", &deaf_clients},
    {"no-answers-wanted", &no_answers_wanted},
    {"one-name", &one_name},
    {"resent", &resent},
    {"leaving-at-every-phase", &leaving_at_every_phase},
    {"of-another", &of_another},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
