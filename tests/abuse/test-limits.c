/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-limits: what clients can make viommud hold: files of calls, and replies that are pending or
 * never read. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/abuse/abuse.h"

/* The system's bus allows 256 for each user. */
#define CONNECTIONS 200
#define FILES       16 /* the most that a message may have */

static void connect_all(Harness *harness, uid_t uid, sd_bus **ret_clients, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ret_clients[i] = harness_connect_as(harness, uid);
}

static void close_all(sd_bus **clients, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        sd_bus_close_unref(clients[i]);
}

static void kill_machine(sd_bus *owner, const char *path)
{
    people_allow(owner, people_on_machine(owner, path, "Kill"));
}

/* --- Files that no method takes --- */

static unsigned count_files(const Abuse *abuse)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/fd", (int)abuse->pid);
    g_autoptr(GDir) directory = g_dir_open(path, 0, NULL);
    unsigned n = 0;

    ck_assert_msg(directory, "viommud is gone");
    while (g_dir_read_name(directory))
        n++;
    return n;
}

static void send_files(sd_bus *client, int file)
{
    sd_bus_message *call = harness_method(client, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping");

    for (unsigned i = 0; i < FILES; i++)
        ck_assert_int_ge(sd_bus_message_append(call, "h", file), 0);
    ck_assert_int_ge(sd_bus_call_async(client, NULL, call, NULL, NULL, 0), 0);
    sd_bus_message_unref(call);
}

/* Any user may call Ping, with as many files as the bus delivers.  viommud must not hold them all
 * at once: when it has no descriptor left, it loses the bus and ends. */
START_TEST(attached_files)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
    unsigned before = count_files(abuse), most = 0;
    sd_bus *clients[CONNECTIONS];

    connect_all(abuse->harness, PEOPLE_OUTSIDER, clients, CONNECTIONS);
    for (unsigned i = 0; i < 10 * CONNECTIONS; i++) {
        send_files(clients[i % CONNECTIONS], file);
        most = MAX(most, count_files(abuse));
    }
    printf("# %u files open before, at most %u meanwhile\n", before, most);
    ck_assert_uint_lt(most, before + 10 * FILES);
    close_all(clients, CONNECTIONS);
    close(file);
}
END_TEST

/* The last close of a TCP socket with SO_LINGER waits until the other end has read all bytes, for
 * hours if its owner likes. */
static int open_lingering(int *ret_reader)
{
    static const struct linger hours = {.l_onoff = 1, .l_linger = 7200};
    static const char bytes[65536];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM, 0), lingering = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(connect(lingering, (struct sockaddr *)&address, sizeof(address)), 0);
    *ret_reader = accept(listener, NULL, NULL);
    close(listener);
    ck_assert_int_eq(setsockopt(lingering, SOL_SOCKET, SO_LINGER, &hours, sizeof(hours)), 0);
    while (send(lingering, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    return lingering;
}

#define LINGERING 20

/* A round to the bus, which has passed on by then what was sent before. */
static void pass_the_bus(sd_bus *client)
{
    sd_bus_message *call = NULL;

    ck_assert_int_ge(sd_bus_message_new_method_call(client, &call, "org.freedesktop.DBus",
                                                    "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"),
                     0);
    people_allow(client, call);
}

START_TEST(lingering_sockets)
{
    g_autoptr(Abuse) abuse = abuse_begin();
    sd_bus *client = harness_connect_as(abuse->harness, PEOPLE_OUTSIDER);
    int readers[LINGERING];
    unsigned longest = 0;

    for (unsigned i = 0; i < LINGERING; i++) {
        int file = open_lingering(&readers[i]);

        /* The last descriptor is the one that is on its way to viommud: all others are closed. */
        kill(abuse->pid, SIGSTOP);
        send_files(client, file);
        ck_assert_int_ge(sd_bus_flush(client), 0);
        pass_the_bus(client);
        close(file);
        kill(abuse->pid, SIGCONT);
        longest = MAX(longest, abuse_serve_victim(abuse));
    }
    printf("# the victim never waited longer than %u ms\n", longest);
    for (unsigned i = 0; i < LINGERING; i++)
        close(readers[i]);
    sd_bus_close_unref(client);
}
END_TEST

/* --- Calls that wait --- */

/* A libvirt that can be stopped, and a system's viommud that uses it. */
static Harness *new_with_libvirt(const char *more)
{
    Harness *harness = harness_new(false);
    g_autofree char *uri = harness_start_libvirt(harness), *connect = g_strconcat("--connect=", uri, NULL),
                    *console = g_strdup_printf("--console-directory=%s/console", harness->directory),
                    *group = people_group(),
                    *config = g_strdup_printf(PEOPLE_UNBOUND "[daemon]\ngroup=%s\n%s", group, more);
    const char *const options[] = {"--system", connect, console, NULL};

    harness_configure(harness, config);
    harness_start(harness, options);
    return harness;
}

/* Reads all replies of @pending; returns how many were refused as busy.  Fails at any other
 * error. */
static unsigned count_busy(HarnessPending *pending, unsigned n, const char *words)
{
    unsigned busy = 0;

    for (unsigned i = 0; i < n; i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);

        if (!sd_bus_message_is_method_error(answer, NULL))
            continue;
        people_assert_error(answer, "Busy", words);
        busy++;
    }
    return busy;
}

#define WAITING_MAX 1024 /* VIOMMU_BUS_WAITING_MAX_PER_USER */
#define TOO_MANY    20
/* A bus may allow a connection 128 pending replies. */
#define WAITERS 16

static void ping(sd_bus *client)
{
    people_allow(client, harness_method(client, VIOMMU_BUS_PATH, "org.freedesktop.DBus.Peer", "Ping"));
}

static void send_xml(sd_bus *client, const char *path, HarnessPending *ret_pending)
{
    harness_send(client, people_on_machine(client, path, "GetDomainXML"), ret_pending);
}

START_TEST(waiting_calls)
{
    g_autoptr(Harness) harness = new_with_libvirt("");
    sd_bus *clients[WAITERS + 1], *last;
    g_autofree HarnessPending *pending = g_new0(HarnessPending, WAITING_MAX);
    HarnessPending refused[TOO_MANY], another;
    g_autofree char *path = NULL,
                    *theirs = harness_launch(harness, "{'name': <'theirs'>, 'arch': <'x86_64'>}");

    for (unsigned i = 0; i <= WAITERS; i++)
        clients[i] = harness_connect_as(harness, PEOPLE_MEMBER);
    last = clients[WAITERS];
    path = people_launch(last, "watched");
    kill(harness->libvirt_pid, SIGSTOP);
    for (unsigned i = 0; i < WAITING_MAX; i++)
        send_xml(clients[i % WAITERS], path, &pending[i]);
    /* A round trip: they have arrived. */
    for (unsigned i = 0; i < WAITERS; i++)
        ping(clients[i]);
    /* Calls above the limit are refused while the others wait; calls that need not wait are
     * answered; root may still wait. */
    for (unsigned i = 0; i < TOO_MANY; i++)
        send_xml(last, path, &refused[i]);
    ck_assert_uint_eq(count_busy(refused, TOO_MANY, "1024 calls of user 65534 already wait"), TOO_MANY);
    people_allow(last, people_get(last, path, "State"));
    send_xml(harness->bus, theirs, &another);
    kill(harness->libvirt_pid, SIGCONT);
    ck_assert_uint_eq(count_busy(pending, WAITING_MAX, ""), 0);
    ck_assert_uint_eq(count_busy(&another, 1, ""), 0);
    /* Afterwards the limit is free again. */
    send_xml(last, path, &another);
    ck_assert_uint_eq(count_busy(&another, 1, ""), 0);
    kill_machine(last, path);
    harness_stop(harness, theirs, -1);
    close_all(clients, WAITERS + 1);
}
END_TEST

START_TEST(resent_without_end)
{
    g_autoptr(Harness) harness = new_with_libvirt("");
    g_autoptr(sd_bus) attacker = harness_connect_as(harness, PEOPLE_MEMBER);
    HarnessPending pending[64 + TOO_MANY];
    g_autofree char *path = NULL;

    kill(harness->libvirt_pid, SIGSTOP);
    for (unsigned i = 0; i < G_N_ELEMENTS(pending); i++)
        harness_send(attacker,
                     harness_request(attacker, "Launch",
                                     "{'name': <'again'>, 'arch': <'x86_64'>, 'request-id': <'one'>}"),
                     &pending[i]);
    ck_assert_uint_eq(
        count_busy(&pending[64], TOO_MANY, "64 calls already wait for the launch of machine 'again'"),
        TOO_MANY);
    kill(harness->libvirt_pid, SIGCONT);
    ck_assert_uint_eq(count_busy(pending, 64, ""), 0);
    ck_assert_uint_eq(harness_count(harness), 1);
    path = people_launch(attacker, "other");
    kill_machine(attacker, path);
}
END_TEST

static void wait_for_none(Harness *harness)
{
    for (gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC; harness_count(harness) > 0;) {
        ck_assert_msg(g_get_monotonic_time() < end, "%u machines are left", harness_count(harness));
        g_usleep(20 * 1000);
    }
}

/* Waiting launches keep the files that came with them.  Each user may have so many that descriptors
 * are left for others. */
START_TEST(files_held)
{
    struct rlimit before, few;
    HarnessPending pending[500], again;
    int file;
    unsigned n = 0, launched = 0;

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){1024, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    g_autoptr(Harness) harness = new_with_libvirt("running-launches=1\n");
    sd_bus *clients[4];
    g_autofree char *kernel = g_build_filename(harness->directory, "kernel", NULL);

    ck_assert(g_file_set_contents(kernel, "no kernel", -1, NULL));
    file = open(kernel, O_RDONLY | O_CLOEXEC);

    connect_all(harness, PEOPLE_MEMBER, clients, G_N_ELEMENTS(clients));
    kill(harness->libvirt_pid, SIGSTOP);
    do {
        sd_bus *client = clients[n % G_N_ELEMENTS(clients)];
        sd_bus_message *call = harness_method(client, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Launch");

        ck_assert_int_ge(sd_bus_message_append(call, "a{sv}", 2, "arch", "s", "x86_64", "boot", "a{sv}", 2,
                                               "kernel", "h", file, "initrd", "h", file),
                         0);
        harness_send(client, call, &pending[n++]);
        ping(client);
    } while (n < G_N_ELEMENTS(pending) && !pending[n - 1].answer);
    printf("# %u launches with two files each wait\n", n - 1);
    ck_assert_uint_lt(n, G_N_ELEMENTS(pending));
    people_assert_error(pending[n - 1].answer, "Busy", "pending calls of user 65534 already hold");
    /* Other users are served, and root is, too. */
    harness_count(harness);
    kill(harness->libvirt_pid, SIGCONT);
    for (unsigned i = 0; i < n; i++) {
        g_autoptr(sd_bus_message) answer = harness_answer(&pending[i]);
        const char *path;

        /* A launch first waits for the look-up of its user, so its refusal may come after the ping
         * that follows it. */
        if (sd_bus_message_get_error(answer)) {
            people_assert_error(answer, "Busy", "pending calls of user 65534 already hold");
            continue;
        }
        ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
        kill_machine(harness->bus, path);
        launched++;
    }
    ck_assert_uint_ge(launched, n - 4);
    wait_for_none(harness);
    /* The files are closed, too. */
    harness_send(clients[0], harness_request(clients[0], "Launch", "{'arch': <'x86_64'>, 'name': <'next'>}"),
                 &again);
    ck_assert_uint_eq(count_busy(&again, 1, ""), 0);
    close_all(clients, G_N_ELEMENTS(clients));
    close(file);
    setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

/* --- Clients that leave or stop machines while libvirt is stopped --- */

/* NULL: there is no such machine yet.  Owned. */
static char *find(sd_bus *client, const char *name)
{
    sd_bus_message *call = harness_method(client, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetMachine");
    g_autoptr(sd_bus_message) answer = NULL;
    const char *path;

    ck_assert_int_ge(sd_bus_message_append(call, "s", name), 0);
    answer = people_exchange(client, call);
    if (sd_bus_message_get_error(answer)) {
        people_assert_error(answer, "NotFound", name);
        return NULL;
    }
    ck_assert_int_gt(sd_bus_message_read(answer, "o", &path), 0);
    return g_strdup(path);
}

static void send_bound(sd_bus *client, const char *name, const char *wait, HarnessPending *ret_pending)
{
    g_autofree char *text = g_strdup_printf("{'name': <'%s'>, 'arch': <'x86_64'>, 'wait': <'%s'>, "
                                            "'lease': <{'bind': <'client'>}>}",
                                            name, wait);

    harness_send(client, harness_request(client, "Launch", text), ret_pending);
    ck_assert_int_ge(sd_bus_flush(client), 0);
}

/* While libvirt is stopped, one launch hangs in it and one waits; a third machine hangs in its
 * stop. Their clients disconnect, and in the second round stop them first.  When libvirt continues,
 * nothing is left. */
START_TEST(leaving_held_phases)
{
    g_autoptr(Harness) harness = new_with_libvirt("running-launches=1\n");

    for (int round = 0; round < 2; round++) {
        HarnessPending launches[3], ends[3];
        sd_bus *clients[3];
        const char *names[] = {"running", "hanging", "queued"};

        for (int i = 0; i < 3; i++)
            clients[i] = harness_connect_as(harness, PEOPLE_MEMBER);
        send_bound(clients[0], names[0], "started", &launches[0]);
        ck_assert_uint_eq(count_busy(&launches[0], 1, ""), 0);
        kill(harness->libvirt_pid, SIGSTOP);
        send_bound(clients[1], names[1], "started", &launches[1]);
        send_bound(clients[2], names[2], "planned", &launches[2]);
        for (int i = 0; i < 3; i++) {
            /* A round trip: the launch has arrived before. */
            ping(clients[i]);
            if (i != 0 && round == 0)
                continue;
            g_autofree char *path = i == 1 ? NULL : find(clients[i], names[i]);
            /* On a busy machine what libvirt said is old, and the plan waits for it, too. */
            if (!path)
                continue;
            harness_send(clients[i], people_on_machine(clients[i], path, "Kill"), &ends[i]);
            ck_assert_int_ge(sd_bus_flush(clients[i]), 0);
        }
        for (int i = 0; i < 3; i++)
            sd_bus_close_unref(clients[i]);
        g_usleep(50 * 1000);
        kill(harness->libvirt_pid, SIGCONT);
        wait_for_none(harness);
    }
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"attached-files", &attached_files},
    {"lingering-sockets", &lingering_sockets},
    {"waiting-calls", &waiting_calls},
    {"files-held", &files_held},
    {"resent-without-end", &resent_without_end},
    {"leaving-held-phases", &leaving_held_phases},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    bool needs_libvirt =
        argc > 1 && !g_str_equal(argv[1], "attached-files") && !g_str_equal(argv[1], "lingering-sockets");

    return people_main(argc, argv, scenarios,
                       needs_libvirt && !harness_has_libvirt() ? "libvirtd or setpriv is not installed"
                                                               : NULL);
}
