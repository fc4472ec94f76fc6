/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reads: measures property reads while many launches are under way.  Launches may keep all cores
 * busy, and each wake-up of each process then waits for a core: the bus daemon's own replies show
 * how long. Or measures while libvirtd is stopped, with a launch that waits for it.
 * reads LABEL LAUNCHES ROUNDS
 * reads LABEL stopped PID
 * Each kind of read has a thread and a connection, and is due every ten milliseconds.  The time
 * counts from when it was due, so that a read that delays the following ones counts for each of
 * them. */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"

#include <signal.h>
#include <stdlib.h>

#define GOAL_MS     5.0
#define PERIOD_NSEC 10000000u
#define QUIET_USEC  (3 * G_USEC_PER_SEC)
#define REQUEST \
    "'arch': <'x86_64'>, 'accelerator': <'tcg'>, 'memory': <'64 MiB'>, 'iommu': <{'is-supported': <true>}>"

typedef enum Kind {
    KIND_MACHINE,
    KIND_MANAGER,
    KIND_PING,
    KIND_BUS, /* the bus daemon alone: the machine's present speed */
    KIND_LAST,
} Kind;

static const char *const kind_names[] = {
    [KIND_MACHINE] = "Get of a Machine's State",
    [KIND_MANAGER] = "Get of the Manager's HostFacts",
    [KIND_PING] = "Ping of viommud",
    [KIND_BUS] = "GetId of the bus daemon, without viommud",
};
G_STATIC_ASSERT(G_N_ELEMENTS(kind_names) == KIND_LAST);

typedef struct Reader {
    Kind kind;
    const char *machine;
    int *stop; /* atomic */
    GArray *msec;
    GThread *thread;
} Reader;

static sd_bus_message *new_read(const Reader *reader, sd_bus *bus)
{
    switch (reader->kind) {
    case KIND_MACHINE:
        return bench_bus_get(bus, reader->machine, VIOMMU_IFACE_MACHINE, "State");
    case KIND_MANAGER:
        return bench_bus_get(bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "HostFacts");
    case KIND_PING:
        return bench_bus_ping(bus);
    case KIND_BUS:
        return bench_bus_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                                "GetId");
    case KIND_LAST:
        break;
    }
    g_assert_not_reached();
}

static void *run_reader(void *data)
{
    Reader *reader = data;
    g_autoptr(sd_bus) bus = bench_bus_open();
    uint64_t due = bench_now_nsec();

    for (; !g_atomic_int_get(reader->stop); due += PERIOD_NSEC) {
        uint64_t now = bench_now_nsec();
        /* When the thread oversleeps, the daemon is not at fault. */
        if (now < due) {
            g_usleep((due - now) / 1000);
            due = bench_now_nsec();
        }
        sd_bus_message_unref(bench_bus_call(bus, new_read(reader, bus)));
        bench_samples_add(reader->msec, (double)(bench_now_nsec() - due) / 1e6);
    }
    return NULL;
}

static void start_readers(Reader readers[KIND_LAST], int *stop)
{
    *stop = 0;
    for (int kind = 0; kind < KIND_LAST; kind++)
        readers[kind].thread = g_thread_new("reader", run_reader, &readers[kind]);
}

static void end_readers(Reader readers[KIND_LAST], int *stop)
{
    g_atomic_int_set(stop, 1);
    for (int kind = 0; kind < KIND_LAST; kind++)
        g_thread_join(readers[kind].thread);
}

/* The worst p99 of a read, and in *ret_floor that of the bus daemon alone. */
static double report(Reader readers[KIND_LAST], double *ret_floor)
{
    double worst = 0;

    for (int kind = 0; kind < KIND_LAST; kind++) {
        GArray *msec = readers[kind].msec;
        double p99 = bench_samples_at(msec, 0.99);
        bench_row(kind_names[kind], "median %7.3f  p99 %7.3f  most %7.3f ms  (%u reads)",
                  bench_samples_at(msec, 0.5), p99, bench_samples_at(msec, 1), msec->len);
        if (kind == KIND_MACHINE || kind == KIND_MANAGER)
            worst = MAX(worst, p99);
        if (kind == KIND_BUS)
            *ret_floor = p99;
        g_array_set_size(msec, 0);
    }
    return worst;
}

static void kill_all(sd_bus *bus)
{
    sd_bus_message *call =
        bench_bus_method(bus, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines");
    g_autoptr(sd_bus_message) list = bench_bus_call(bus, call);
    BenchPending pending = {0};
    const char *path;

    sd_bus_message_enter_container(list, 'a', "(ssso)");
    while (sd_bus_message_read(list, "(ssso)", NULL, NULL, NULL, &path) > 0)
        bench_bus_send(bus, bench_bus_method(bus, VIOMMU_BUS_NAME, path, VIOMMU_IFACE_MACHINE, "Kill"),
                       &pending);
    bench_bus_drain(bus, &pending, 0);
}

/* Returns how long the launches took. */
static double launch_all(sd_bus *bus, int n)
{
    uint64_t begin = bench_now_nsec();
    BenchPending pending = {0};

    for (int i = 1; i <= n; i++) {
        g_autofree char *request = g_strdup_printf("{'name': <'bench-%d'>, " REQUEST "}", i);
        bench_bus_send(bus, bench_bus_request(bus, "Launch", request), &pending);
    }
    bench_bus_drain(bus, &pending, 0);
    if (pending.failed)
        bench_die("%u of %d launches failed", pending.failed, n);
    return (double)(bench_now_nsec() - begin) / 1e6;
}

/* Reads for as long as @meanwhile runs. */
static void round_of_reads(sd_bus *bus, Reader readers[KIND_LAST], void (*meanwhile)(sd_bus *bus, void *data),
                           void *data)
{
    g_autofree char *machine = bench_bus_launch(bus, "{'name': <'bench-0'>, " REQUEST "}");
    int stop;

    readers[KIND_MACHINE].machine = machine;
    for (int kind = 0; kind < KIND_LAST; kind++)
        readers[kind].stop = &stop;
    start_readers(readers, &stop);
    meanwhile(bus, data);
    end_readers(readers, &stop);
    kill_all(bus);
}

static void nothing(sd_bus *bus, void *data)
{
    (void)bus;
    (void)data;
    g_usleep(QUIET_USEC);
}

typedef struct Launches {
    int n;
    double msec;
} Launches;

static void launches(sd_bus *bus, void *data)
{
    Launches *under_way = data;

    under_way->msec += launch_all(bus, under_way->n);
}

/* The launch waits for libvirtd, and continues with it. */
static void libvirtd_stopped(sd_bus *bus, void *data)
{
    pid_t pid = *(pid_t *)data;
    BenchPending pending = {0};

    if (kill(pid, SIGSTOP) < 0)
        bench_die("cannot stop process %d", (int)pid);
    bench_bus_send(bus, bench_bus_request(bus, "Launch", "{'name': <'bench-1'>, " REQUEST "}"), &pending);
    g_usleep(2 * QUIET_USEC);
    kill(pid, SIGCONT);
    bench_bus_drain(bus, &pending, 0);
    if (pending.failed)
        bench_die("the launch that waited failed");
}

static void finish(Reader readers[KIND_LAST])
{
    double floor, worst = report(readers, &floor);

    bench_row("p99 of a read / that of the bus daemon alone", "%8.3f", worst / floor);
    bench_goal("p99 of a property read", worst, BENCH_AT_MOST, GOAL_MS, "ms");
}

int main(int argc, char **argv)
{
    g_autoptr(sd_bus) bus = NULL;
    Reader readers[KIND_LAST];
    Launches under_way = {0};
    double floor;
    int number;

    g_set_prgname("reads");
    if (argc != 4 || (number = atoi(argv[3])) <= 0)
        bench_die("LABEL LAUNCHES ROUNDS, or LABEL stopped PID");
    bus = bench_bus_open();
    for (int kind = 0; kind < KIND_LAST; kind++)
        readers[kind] = (Reader){.kind = (Kind)kind, .msec = bench_samples_new()};
    bench_title("reads: %s, no launch under way", argv[1]);
    round_of_reads(bus, readers, nothing, NULL);
    report(readers, &floor);
    if (g_str_equal(argv[2], "stopped")) {
        pid_t pid = (pid_t)number;

        bench_title("reads: %s, libvirtd stopped and a launch waiting for it", argv[1]);
        round_of_reads(bus, readers, libvirtd_stopped, &pid);
    } else {
        under_way.n = atoi(argv[2]);
        for (int round = 0; round < number; round++)
            round_of_reads(bus, readers, launches, &under_way);
        bench_title("reads: %s, %d launches under way, %d times, each %.0f ms in all", argv[1], under_way.n,
                    number, under_way.msec / number);
    }
    finish(readers);
    return EXIT_SUCCESS;
}
