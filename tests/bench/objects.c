/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* objects: what answers about many machines cost viommud, and how long they keep its loop at a
 * time; both are CPU time.  Waits until viommud has found the machines.
 * objects N HOLD-FILE */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"
#include "tests/bench/hold.h"

#include <stdlib.h>

#define GOAL_MSEC 5.0
#define ROUNDS    9
#define POLL_USEC (100 * 1000)

static const struct {
    const char *path, *interface, *member, *argument;
} calls[] = {
    {VIOMMU_BUS_PATH, "org.freedesktop.DBus.ObjectManager", "GetManagedObjects", NULL},
    {VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "ListMachines", NULL},
    {VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "GetUsage", NULL},
    {VIOMMU_BUS_PATH, "org.freedesktop.DBus.Properties", "GetAll", VIOMMU_IFACE_MANAGER},
    {VIOMMU_MACHINE_PREFIX, "org.freedesktop.DBus.Introspectable", "Introspect", NULL},
};

static void call(sd_bus *bus, size_t i)
{
    sd_bus_message *message =
        bench_bus_method(bus, VIOMMU_BUS_NAME, calls[i].path, calls[i].interface, calls[i].member);

    if (calls[i].argument)
        (void)sd_bus_message_append(message, "s", calls[i].argument);
    sd_bus_message_unref(bench_bus_call(bus, message));
}

static void measure(sd_bus *bus, int pid, uint64_t *hold, size_t i, unsigned n)
{
    g_autoptr(GArray) whole = bench_samples_new(), holds = bench_samples_new();

    for (int round = 0; round < ROUNDS; round++) {
        double begin = bench_loop_cpu_usec(pid);

        bench_hold_reset(hold);
        call(bus, i);
        /* A round trip more: the step that has sent the answer has ended. */
        sd_bus_message_unref(bench_bus_call(bus, bench_bus_ping(bus)));
        bench_samples_add(whole, (bench_loop_cpu_usec(pid) - begin) / 1e3);
        bench_samples_add(holds, bench_hold_msec(hold));
    }
    bench_row(calls[i].member, "%8.2f ms  %8.2f us for each machine", bench_samples_at(whole, 0.5),
              bench_samples_at(whole, 0.5) * 1e3 / n);
    bench_goal(calls[i].member, bench_samples_at(holds, 0.5), BENCH_AT_MOST, GOAL_MSEC, "ms");
}

int main(int argc, char **argv)
{
    unsigned n = argc == 3 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
    g_autoptr(sd_bus) bus = NULL;
    uint64_t *hold;
    int pid;

    g_set_prgname("objects");
    if (n == 0)
        bench_die("usage: objects N HOLD-FILE");
    hold = bench_hold_open(argv[2]);
    bus = bench_bus_open();
    while (bench_bus_count(bus) < n)
        g_usleep(POLL_USEC);
    pid = bench_bus_pid(bus);
    bench_title(
        "objects: answers about %u machines: CPU time of viommud's loop; and as the goal, its longest "
        "step (medians of %d)",
        n, ROUNDS);
    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++)
        measure(bus, pid, hold, i, n);
    return EXIT_SUCCESS;
}
