/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plans: compares Manager.Plan per second with Peer.Ping per second, on the same connection to the
 * same viommud, in turns. */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"

#include <stdlib.h>
#include <string.h>

#define GOAL       0.3
#define GOAL_BRIEF 0.6
#define ROUNDS     9
#define CALLS      300 /* calls of each kind in a round */

static const char *const request =
    "{'name': <'bench'>, 'arch': <'x86_64'>, 'memory': <'512 MiB'>, 'iommu': <{'is-supported': <true>}>, "
    "'boot': "
    "<{'kernel': <'/srv/vmlinuz'>, 'initrd': <'/srv/initrd'>, 'cmdline': <'console=ttyS0'>}>}";

static sd_bus_message *new_plan(sd_bus *bus)
{
    return bench_bus_request(bus, "Plan", request);
}

static sd_bus_message *new_check(sd_bus *bus)
{
    return bench_bus_request(bus, "Check", request);
}

static sd_bus_message *(*const kinds[])(sd_bus *) = {bench_bus_ping, new_plan, new_check};
static const char *const names[] = {"Ping", "Plan, with XML in the reply", "Check, without"};

typedef struct Rate {
    GArray *per_second, *cpu_usec;
} Rate;

/* viommud answers on its first thread; the kernel counts that thread's CPU time. */
static double loop_cpu_usec(int pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/schedstat", pid), *text = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        bench_die("cannot read %s", path);
    return (double)strtoull(text, NULL, 10) / 1e3;
}

static int daemon_pid(sd_bus *bus)
{
    sd_bus_message *call = bench_bus_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                            "org.freedesktop.DBus", "GetConnectionUnixProcessID");
    g_autoptr(sd_bus_message) reply = NULL;
    uint32_t pid = 0;

    sd_bus_message_append(call, "s", VIOMMU_BUS_NAME);
    reply = bench_bus_call(bus, call);
    sd_bus_message_read(reply, "u", &pid);
    return (int)pid;
}

/* Runs one round of a kind, with up to @window calls under way. */
static void run_round(sd_bus *bus, sd_bus_message *(*make)(sd_bus *), unsigned window, Rate *rate)
{
    g_autoptr(GPtrArray) calls = g_ptr_array_new();
    BenchPending pending = {0};
    int pid = daemon_pid(bus);

    /* Made before the clock starts, because making one parses the request's text, which no client
     * would do for each call. */
    for (int i = 0; i < CALLS; i++)
        g_ptr_array_add(calls, make(bus));
    double cpu = loop_cpu_usec(pid);
    uint64_t begin = bench_now_nsec();
    for (guint i = 0; i < calls->len; i++) {
        bench_bus_send(bus, g_ptr_array_index(calls, i), &pending);
        bench_bus_drain(bus, &pending, window - 1);
    }
    bench_bus_drain(bus, &pending, 0);
    bench_samples_add(rate->per_second, CALLS * 1e9 / (double)(bench_now_nsec() - begin));
    bench_samples_add(rate->cpu_usec, (loop_cpu_usec(pid) - cpu) / CALLS);
    if (pending.failed)
        bench_die("%u of %d calls failed", pending.failed, CALLS);
}

/* Median rates, divided by Ping's. */
static void measure(sd_bus *bus, unsigned window, double ret_ratios[G_N_ELEMENTS(kinds)])
{
    Rate rates[G_N_ELEMENTS(kinds)];
    double medians[G_N_ELEMENTS(kinds)];

    for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
        rates[kind] = (Rate){bench_samples_new(), bench_samples_new()};
    for (int round = 0; round < ROUNDS; round++)
        for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
            run_round(bus, kinds[kind], window, &rates[kind]);
    for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
        medians[kind] = bench_samples_at(rates[kind].per_second, 0.5);
        bench_row(names[kind], "%8.0f per second  %8.1f us of viommud's CPU each", medians[kind],
                  bench_samples_at(rates[kind].cpu_usec, 0.5));
        g_array_unref(rates[kind].per_second);
        g_array_unref(rates[kind].cpu_usec);
    }
    for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
        ret_ratios[kind] = medians[kind] / medians[0];
}

int main(void)
{
    g_autoptr(sd_bus) bus = NULL;
    g_autoptr(GVariant) plan = NULL;
    const char *xml = NULL;
    double ratios[G_N_ELEMENTS(kinds)];

    g_set_prgname("plans");
    bus = bench_bus_open();
    plan = bench_bus_plan(bus, request);
    if (!g_variant_lookup(plan, "domain-xml", "&s", &xml))
        bench_die("the plan has no domain-xml");
    bench_title("plans: one call after the other, %d rounds of %d each, in turns, medians (XML of %zu bytes)",
                ROUNDS, CALLS, strlen(xml));
    measure(bus, 1, ratios);
    bench_goal("Plan / Ping", ratios[1], BENCH_AT_LEAST, GOAL, "");
    bench_goal("Check / Ping", ratios[2], BENCH_AT_LEAST, GOAL_BRIEF, "");
    bench_title("plans: the same with up to 32 calls under way");
    measure(bus, 32, ratios);
    bench_row("Plan / Ping", "%8.3f", ratios[1]);
    bench_row("Check / Ping", "%8.3f", ratios[2]);
    return EXIT_SUCCESS;
}
