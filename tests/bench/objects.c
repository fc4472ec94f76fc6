/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* objects: how long answers about many machines keep viommud's loop, by the CPU time that it
 * takes.  Launches the machines first.
 * objects N */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"

#include <stdlib.h>

#define GOAL_MSEC        5.0
#define ROUNDS           9
#define LAUNCHES_AT_ONCE 8

static const struct {
    const char *interface, *member;
} calls[] = {
    {"org.freedesktop.DBus.ObjectManager", "GetManagedObjects"},
    {VIOMMU_IFACE_MANAGER, "ListMachines"},
    {VIOMMU_IFACE_MANAGER, "GetUsage"},
};

static void launch_all(sd_bus *bus, unsigned n)
{
    BenchPending pending = {0};

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *request = g_strdup_printf(
            "{'name': <'bench-%u'>, 'arch': <'x86_64'>, 'memory': <'64 MiB'>, 'iommu': <{'is-supported': "
            "<true>}>}",
            i);
        bench_bus_send(bus, bench_bus_request(bus, "Launch", request), &pending);
        bench_bus_drain(bus, &pending, LAUNCHES_AT_ONCE - 1);
    }
    bench_bus_drain(bus, &pending, 0);
    if (pending.failed)
        bench_die("%u of %u launches failed", pending.failed, n);
}

static double measure_msec(sd_bus *bus, int pid, const char *interface, const char *member)
{
    g_autoptr(GArray) samples = bench_samples_new();

    for (int round = 0; round < ROUNDS; round++) {
        double begin = bench_loop_cpu_usec(pid);

        sd_bus_message_unref(
            bench_bus_call(bus, bench_bus_method(bus, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH, interface, member)));
        bench_samples_add(samples, (bench_loop_cpu_usec(pid) - begin) / 1e3);
    }
    return bench_samples_at(samples, 0.5);
}

int main(int argc, char **argv)
{
    unsigned n = argc == 2 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    g_autoptr(sd_bus) bus = NULL;
    int pid;

    g_set_prgname("objects");
    if (n == 0)
        bench_die("usage: objects N");
    bus = bench_bus_open();
    pid = bench_bus_pid(bus);
    launch_all(bus, n);
    bench_title("objects: answers about %u machines (CPU time of viommud's loop, median of %d)", n, ROUNDS);
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        double msec = measure_msec(bus, pid, calls[i].interface, calls[i].member);

        bench_row(calls[i].member, "%8.2f ms  %8.2f us for each machine", msec, msec * 1e3 / n);
        bench_goal(calls[i].member, msec, BENCH_AT_MOST, GOAL_MSEC, "ms");
    }
    return EXIT_SUCCESS;
}
