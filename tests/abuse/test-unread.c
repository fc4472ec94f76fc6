/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-unread: clients that want replies and never read them, and how long other users wait
 * meanwhile. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/abuse/abuse.h"
#include "tests/abuse/raw.h"

#define DEAF    3
#define CROWD   12 /* each may have 128 replies on their way */
#define PINGS   40 /* of the crowd's user; the scheduler decides how many meet a full queue */
#define LARGE   16 /* calls, every second of which is large */
#define BULKY   60 /* calls, of which 4 MiB may wait */
#define SENDERS 6  /* of them: the bus takes a call in small pieces, from all at once */
/* They fill the queue before these calls, but stay within the number of calls that may wait. */
#define MANY_DEAF 6
#define NEWCOMERS 100
#define SAMPLES   21
/* A call to viommud and its reply pass the bus among others.  They took 3 to 11 times as long as
 * the bus's own reply, and 80 to 130 times without turns. */
#define TIMES_MAX 30

static int compare(const void *a, const void *b)
{
    const gint64 first = *(const gint64 *)a, second = *(const gint64 *)b;

    return first < second ? -1 : first > second;
}

static sd_bus_message *ask_viommud(sd_bus *client)
{
    sd_bus_message *call = harness_method(client, VIOMMU_BUS_PATH, PEOPLE_PROPERTIES, "Get");

    ck_assert_int_ge(sd_bus_message_append(call, "ss", VIOMMU_IFACE_MANAGER, "Version"), 0);
    return call;
}

static sd_bus_message *ask_bus(sd_bus *client)
{
    sd_bus_message *call = NULL;

    ck_assert_int_ge(sd_bus_message_new_method_call(client, &call, "org.freedesktop.DBus",
                                                    "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"),
                     0);
    return call;
}

/* The median wait for the reply, in milliseconds. */
static double measure(sd_bus *client, sd_bus_message *(*make)(sd_bus *client), const char *words)
{
    gint64 waits[SAMPLES];

    for (size_t i = 0; i < SAMPLES; i++) {
        gint64 before = g_get_monotonic_time();

        people_allow(client, make(client));
        waits[i] = g_get_monotonic_time() - before;
        g_usleep(20 * 1000);
    }
    qsort(waits, SAMPLES, sizeof(waits[0]), compare);
    printf("# %s: %.1f ms, at most %.1f ms\n", words, (double)waits[SAMPLES / 2] / 1000,
           (double)waits[SAMPLES - 1] / 1000);
    return (double)waits[SAMPLES / 2] / 1000;
}

/* A process that sends calls without end and never reads. */
static pid_t start_deaf(const Harness *harness, const char *path, const char *interface, const char *member)
{
    pid_t pid = fork();
    int fd;

    if (pid != 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fd = raw_connect(harness);
    for (;;)
        raw_call(fd, path, interface, member);
}

static void end_deaf(const pid_t *deaf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        kill(deaf[i], SIGKILL);
        waitpid(deaf[i], NULL, 0);
    }
}

static void serve_among_deaf(Abuse *abuse, const char *path, const char *interface, const char *member)
{
    pid_t deaf[DEAF];
    double bus, viommud;

    measure(abuse->victim, ask_viommud, "viommud alone");
    for (int i = 0; i < DEAF; i++)
        deaf[i] = start_deaf(abuse->harness, path, interface, member);
    g_usleep(2 * G_USEC_PER_SEC);
    bus = measure(abuse->victim, ask_bus, "the bus, among the deaf");
    viommud = measure(abuse->victim, ask_viommud, "viommud, among the deaf");
    end_deaf(deaf, DEAF);
    printf("# %s: %.1f times\n", member, viommud / bus);
    ck_assert_msg(viommud < TIMES_MAX * bus, "viommud %.1f ms, the bus %.1f ms", viommud, bus);
}

/* The bus logs each call above the limit: a hundred thousand lines. */
static Abuse *begin_quietly(void)
{
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC), kept = dup(STDERR_FILENO);
    Abuse *abuse;

    ck_assert_int_ge(dup2(null, STDERR_FILENO), 0);
    abuse = abuse_begin();
    ck_assert_int_ge(dup2(kept, STDERR_FILENO), 0);
    close(null);
    close(kept);
    return abuse;
}

START_TEST(unread_answers)
{
    g_autoptr(Abuse) abuse = begin_quietly();

    serve_among_deaf(abuse, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Introspectable", "Introspect");
}
END_TEST

/* Replies that come later. */
START_TEST(unread_later)
{
    g_autoptr(Abuse) abuse = begin_quietly();
    g_autofree char *path = people_launch(abuse->attacker, "theirs");

    serve_among_deaf(abuse, path, VIOMMU_IFACE_MACHINE, "GetDomainXML");
    people_allow(abuse->attacker, people_on_machine(abuse->attacker, path, "Kill"));
}
END_TEST

/* A user's waiting calls are bounded, and a call beyond the bound is answered, too. */
START_TEST(unread_crowd)
{
    g_autoptr(Abuse) abuse = begin_quietly();
    HarnessPending pending[PINGS];
    unsigned busy = 0;
    pid_t deaf[CROWD];

    for (int i = 0; i < CROWD; i++)
        deaf[i] =
            start_deaf(abuse->harness, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Introspectable", "Introspect");
    g_usleep(2 * G_USEC_PER_SEC);
    for (int i = 0; i < PINGS; i++) {
        harness_send(abuse->attacker,
                     harness_method(abuse->attacker, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping"),
                     &pending[i]);
        ck_assert_int_ge(sd_bus_flush(abuse->attacker), 0);
        if (i == PINGS / 2)
            measure(abuse->victim, ask_viommud, "viommud, among the crowd");
        g_usleep(50 * 1000);
    }
    end_deaf(deaf, CROWD);
    for (int i = 0; i < PINGS; i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);

        if (!sd_bus_message_get_error(answer))
            continue;
        people_assert_error(answer, "Busy", "1024 calls of user 65534 already wait for the bus");
        busy++;
    }
    printf("# %u of %d calls of the crowd's user were refused\n", busy, PINGS);
    ck_assert_uint_gt(busy, 0);
}
END_TEST

static sd_bus_message *make_launch(sd_bus *client, size_t bytes)
{
    sd_bus_message *call = harness_method(client, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");
    g_autofree char *text = g_strnfill(bytes, 'a');

    ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 1, "name", "s", text), 0);
    return call;
}

/* A large call cannot wait, and is answered, too; a small call of the same user waits. */
START_TEST(unread_large)
{
    g_autoptr(Abuse) abuse = begin_quietly();
    HarnessPending pending[LARGE];
    pid_t deaf[DEAF];
    unsigned busy = 0;

    for (int i = 0; i < DEAF; i++)
        deaf[i] =
            start_deaf(abuse->harness, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Introspectable", "Introspect");
    g_usleep(2 * G_USEC_PER_SEC);
    for (int i = 0; i < LARGE; i++)
        harness_send(abuse->attacker, make_launch(abuse->attacker, (i % 2 ? 1 : 300) * 1024), &pending[i]);
    for (int i = 0; i < LARGE; i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        const char *message = sd_bus_message_get_error(answer)->message;
        bool large = strstr(message, "calls of more than 256 KiB cannot wait") != NULL;

        ck_assert_msg(!large || i % 2 == 0, "a small call: %s", message);
        busy += large;
    }
    end_deaf(deaf, DEAF);
    printf("# %u of %d large calls could not wait\n", busy, LARGE / 2);
    ck_assert_uint_gt(busy, 0);
}
END_TEST

/* Each of these calls may wait; together they are too much.  Another user's call may still wait. */
START_TEST(unread_bytes)
{
    g_autoptr(Abuse) abuse = begin_quietly();
    HarnessPending pending[BULKY], theirs;
    g_autoptr(sd_bus_message) answer = NULL;
    sd_bus *clients[SENDERS];
    pid_t deaf[MANY_DEAF];
    unsigned busy = 0;

    for (int i = 0; i < SENDERS; i++)
        clients[i] = harness_connect_as(abuse->harness, PEOPLE_MEMBER);
    for (int i = 0; i < MANY_DEAF; i++)
        deaf[i] =
            start_deaf(abuse->harness, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Introspectable", "Introspect");
    g_usleep(2 * G_USEC_PER_SEC);
    for (int i = 0; i < BULKY; i++)
        harness_send(clients[i % SENDERS], make_launch(clients[i % SENDERS], 200 * 1024), &pending[i]);
    harness_send(abuse->victim, make_launch(abuse->victim, 200 * 1024), &theirs);
    for (int i = 0; i < BULKY; i++) {
        g_autoptr(sd_bus_message) one = harness_answer(&pending[i]);
        const char *message = sd_bus_message_get_error(one)->message;
        const char *at = strstr(message, "calls of user 65534 with ");
        unsigned kib;

        if (!at)
            continue;
        ck_assert_int_eq(sscanf(at, "calls of user 65534 with %u KiB already wait", &kib), 1);
        ck_assert_uint_le(kib, 4096);
        busy++;
    }
    answer = harness_answer(&theirs);
    ck_assert_msg(!strstr(sd_bus_message_get_error(answer)->message, "already wait"),
                  "the victim is refused");
    end_deaf(deaf, MANY_DEAF);
    for (int i = 0; i < SENDERS; i++)
        sd_bus_close_unref(clients[i]);
    printf("# %u of %d calls of 200 KiB were too much\n", busy, BULKY);
    ck_assert_uint_gt(busy, 0);
}
END_TEST

/* viommud asks the bus for the user of each new connection.  The victim's call comes behind the
 * first calls of many. */
START_TEST(new_connections)
{
    g_autoptr(Abuse) abuse = begin_quietly();
    gint64 longest = 0;
    int newcomers[NEWCOMERS];

    for (int round = 0; round < SAMPLES; round++) {
        gint64 before;

        for (int i = 0; i < NEWCOMERS; i++)
            newcomers[i] = raw_connect(abuse->harness);
        for (int i = 0; i < NEWCOMERS; i++)
            raw_call(newcomers[i], VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping");
        before = g_get_monotonic_time();
        people_allow(abuse->victim, ask_viommud(abuse->victim));
        longest = MAX(longest, g_get_monotonic_time() - before);
        for (int i = 0; i < NEWCOMERS; i++)
            close(newcomers[i]);
    }
    printf("# behind %d new connections the victim waited at most %.1f ms\n", NEWCOMERS,
           (double)longest / 1000);
    /* Each costs 0.1 to 0.3 ms. */
    ck_assert_int_lt(longest, G_USEC_PER_SEC);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"unread-answers", &unread_answers},
    {"unread-later", &unread_later},
    {"unread-crowd", &unread_crowd},
    {"unread-large", &unread_large},
    {"unread-bytes", &unread_bytes},
    {"new-connections", &new_connections},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
