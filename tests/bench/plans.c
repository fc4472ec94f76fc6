/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plans: what Manager.Plan and Check cost viommud, beside Peer.Ping, in turns on the same
 * connection. */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"

#include <stdlib.h>
#include <string.h>

#define GOAL_USEC       80.0 /* of viommud's CPU, for a call */
#define GOAL_BRIEF_USEC 30.0
#define ROUNDS          9
#define CALLS           300 /* calls of each kind in a round */

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

/* Runs one round of a kind, with up to @window calls under way. */
static void run_round(sd_bus *bus, sd_bus_message *(*make)(sd_bus *), unsigned window, Rate *rate)
{
    g_autoptr(GPtrArray) calls = g_ptr_array_new();
    BenchPending pending = {0};
    int pid = bench_bus_pid(bus);

    /* Made before the clock starts, because making one parses the request's text, which no client
     * would do for each call. */
    for (int i = 0; i < CALLS; i++)
        g_ptr_array_add(calls, make(bus));
    double cpu = bench_loop_cpu_usec(pid);
    uint64_t begin = bench_now_nsec();
    for (guint i = 0; i < calls->len; i++) {
        bench_bus_send(bus, g_ptr_array_index(calls, i), &pending);
        bench_bus_drain(bus, &pending, window - 1);
    }
    bench_bus_drain(bus, &pending, 0);
    bench_samples_add(rate->per_second, CALLS * 1e9 / (double)(bench_now_nsec() - begin));
    bench_samples_add(rate->cpu_usec, (bench_loop_cpu_usec(pid) - cpu) / CALLS);
    if (pending.failed)
        bench_die("%u of %d calls failed", pending.failed, CALLS);
}

/* Prints medians; @ret_usec: viommud's CPU time for a call of each kind. */
static void measure(sd_bus *bus, unsigned window, double ret_usec[G_N_ELEMENTS(kinds)])
{
    Rate rates[G_N_ELEMENTS(kinds)];
    double first = 0;

    for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
        rates[kind] = (Rate){bench_samples_new(), bench_samples_new()};
    for (int round = 0; round < ROUNDS; round++)
        for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++)
            run_round(bus, kinds[kind], window, &rates[kind]);
    for (size_t kind = 0; kind < G_N_ELEMENTS(kinds); kind++) {
        double per_second = bench_samples_at(rates[kind].per_second, 0.5);

        first = kind == 0 ? per_second : first;
        ret_usec[kind] = bench_samples_at(rates[kind].cpu_usec, 0.5);
        bench_row(names[kind], "%8.0f per second  %5.3f of Ping  %8.1f us of viommud's CPU each", per_second,
                  per_second / first, ret_usec[kind]);
        g_array_unref(rates[kind].per_second);
        g_array_unref(rates[kind].cpu_usec);
    }
}

int main(void)
{
    g_autoptr(sd_bus) bus = NULL;
    g_autoptr(GVariant) plan = NULL;
    const char *xml = NULL;
    double usec[G_N_ELEMENTS(kinds)];

    g_set_prgname("plans");
    bus = bench_bus_open();
    plan = bench_bus_plan(bus, request);
    if (!g_variant_lookup(plan, "domain-xml", "&s", &xml))
        bench_die("the plan has no domain-xml");
    bench_title("plans: one call after the other, %d rounds of %d each, in turns, medians (XML of %zu bytes)",
                ROUNDS, CALLS, strlen(xml));
    measure(bus, 1, usec);
    bench_title("plans: the same with up to 32 calls under way");
    measure(bus, 32, usec);
    bench_goal("CPU of a Plan", usec[1], BENCH_AT_MOST, GOAL_USEC, "us");
    bench_goal("CPU of a Check", usec[2], BENCH_AT_MOST, GOAL_BRIEF_USEC, "us");
    return EXIT_SUCCESS;
}
