/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-bus: a bus that stops while viommud asks it who calls. */
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include "tests/abuse/abuse.h"
#include "tests/abuse/raw.h"

#define NEWCOMERS 8
#define CALLS     3
/* viommud's loop tells systemd that it runs, twice in this time. */
#define WATCHDOG_USEC (1 * G_USEC_PER_SEC)
#define STOP_USEC     (4 * G_USEC_PER_SEC)

/* systemd's end of the notifications, which have names without files. */
static int open_notifications(void)
{
    g_autofree char *name = g_strdup_printf("viommu-test-%d", (int)getpid());
    g_autofree char *variable = g_strconcat("@", name, NULL);
    g_autofree char *usec = g_strdup_printf("%u", (unsigned)WATCHDOG_USEC);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    ck_assert_int_ge(fd, 0);
    memcpy(address.sun_path + 1, name, strlen(name));
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name))),
                     0);
    ck_assert(g_setenv("NOTIFY_SOCKET", variable, TRUE));
    ck_assert(g_setenv("WATCHDOG_USEC", usec, TRUE));
    return fd;
}

static gint64 last_life; /* atomic */

/* viommud waits when nobody reads. */
static void *read_notifications(void *data)
{
    char text[256];

    for (ssize_t n; (n = recv(GPOINTER_TO_INT(data), text, sizeof(text), 0)) > 0;)
        if (memmem(text, (size_t)n, "WATCHDOG=1", strlen("WATCHDOG=1")))
            __atomic_store_n(&last_life, g_get_monotonic_time(), __ATOMIC_RELAXED);
    return NULL;
}

/* The longest time without a sign of life, of @usec. */
static gint64 watch_life(gint64 usec)
{
    gint64 begin = g_get_monotonic_time(), longest = 0;

    for (gint64 now = begin; now < begin + usec; now = g_get_monotonic_time()) {
        longest = MAX(longest, now - MAX(begin, __atomic_load_n(&last_life, __ATOMIC_RELAXED)));
        g_usleep(10000);
    }
    return longest;
}

static void call_names(int fd)
{
    for (int i = 0; i < CALLS; i++) {
        g_autofree char *name = g_strdup_printf("nobody-%d", i);

        raw_get_machine(fd, name, strlen(name));
    }
}

/* The bus serves its connections in turn, so the victim's exchange comes behind these calls. */
static void pass_the_bus(Abuse *abuse)
{
    sd_bus_message *call = NULL;

    ck_assert_int_ge(sd_bus_message_new_method_call(abuse->victim, &call, "org.freedesktop.DBus",
                                                    "/org/freedesktop/DBus", "org.freedesktop.DBus", "GetId"),
                     0);
    people_allow(abuse->victim, call);
    g_usleep(G_USEC_PER_SEC / 5);
}

static gint64 cpu_usec(GPid pid)
{
    struct timespec used;
    clockid_t clock;

    ck_assert_int_eq(clock_getcpuclockid(pid, &clock), 0);
    ck_assert_int_eq(clock_gettime(clock, &used), 0);
    return used.tv_sec * G_USEC_PER_SEC + used.tv_nsec / 1000;
}

/* viommud has calls of senders whom it does not know, and the bus does not tell who they are.  The
 * loop goes on: systemd would kill a viommud that misses the watchdog, and no lease would end.  Nor
 * does viommud look for the bytes again and again.  Then each sender gets its replies, in the order
 * of its calls. */
START_TEST(slow_bus)
{
    int life = open_notifications(), newcomers[NEWCOMERS];
    GThread *reader = g_thread_new("notifications", read_notifications, GINT_TO_POINTER(life));
    g_autoptr(Abuse) abuse = abuse_begin();
    gint64 longest, used;

    for (int i = 0; i < NEWCOMERS; i++)
        newcomers[i] = raw_connect(abuse->harness);
    kill(abuse->pid, SIGSTOP);
    for (int i = 0; i < NEWCOMERS; i++)
        call_names(newcomers[i]);
    pass_the_bus(abuse);
    kill(abuse->harness->bus_pid, SIGSTOP);
    kill(abuse->pid, SIGCONT);
    used = cpu_usec(abuse->pid);
    longest = watch_life(STOP_USEC);
    used = cpu_usec(abuse->pid) - used;
    kill(abuse->harness->bus_pid, SIGCONT);
    ck_assert_msg(longest < WATCHDOG_USEC, "no sign of life for %d ms", (int)(longest / 1000));
    ck_assert_msg(used < STOP_USEC / 10, "viommud used the CPU for %d ms", (int)(used / 1000));
    for (int i = 0; i < NEWCOMERS; i++) {
        ck_assert(raw_hears_in_order(newcomers[i], "nobody-", CALLS));
        close(newcomers[i]);
    }
    g_thread_unref(reader);
}
END_TEST

static const HarnessScenario scenarios[] = {
    {"slow-bus", &slow_bus},
    {NULL, NULL},
};

int main(int argc, char **argv)
{
    return people_main(argc, argv, scenarios, NULL);
}
