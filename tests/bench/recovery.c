/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recovery: the time until a viommud that was just started has found its machines again, and the
 * CPU time that its whole process took for it.  libvirt is inside viommud, so reading the domains
 * counts, too.
 * recovery N PID HOLD-FILE */
#include "tests/bench/bench.h"
#include "tests/bench/client.h"
#include "tests/bench/hold.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define GOAL_SEC     5.0
#define POLL_USEC    (20 * 1000)
#define PATIENCE_SEC 120.0

/* Of /proc/PID/stat, behind the name in brackets, which may have spaces. */
#define FIELD_USER   11
#define FIELD_SYSTEM 12
#define FIELD_START  19

static double ticks_sec(int pid, int field)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/stat", pid), *text = NULL;
    g_auto(GStrv) fields = NULL;

    if (!g_file_get_contents(path, &text, NULL, NULL))
        bench_die("viommud has ended");
    fields = g_strsplit(strrchr(text, ')') + 2, " ", -1);
    return (double)strtoull(fields[field], NULL, 10) / (double)sysconf(_SC_CLK_TCK);
}

static double age_sec(int pid)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9 - ticks_sec(pid, FIELD_START);
}

int main(int argc, char **argv)
{
    unsigned n = argc == 4 ? (unsigned)strtoul(argv[1], NULL, 10) : 0, found;
    g_autoptr(sd_bus) bus = NULL;
    uint64_t *hold_nsec;
    double seconds;
    int pid;

    g_set_prgname("recovery");
    if (n == 0)
        bench_die("usage: recovery N PID HOLD-FILE");
    pid = atoi(argv[2]);
    hold_nsec = bench_hold_open(argv[3]);
    bus = bench_bus_open();
    while ((found = bench_bus_count(bus)) < n) {
        if (age_sec(pid) > PATIENCE_SEC)
            bench_die("viommud has found %u of %u machines after %.0f s", found, n, PATIENCE_SEC);
        g_usleep(POLL_USEC);
    }
    seconds = age_sec(pid);
    bench_title("recovery: a viommud is started where %u machines run", n);
    bench_row("its CPU time, with libvirt's", "%8.2f s",
              ticks_sec(pid, FIELD_USER) + ticks_sec(pid, FIELD_SYSTEM));
    bench_row("its loop's", "%8.2f s", bench_loop_cpu_usec(pid) / 1e6);
    bench_row("the longest step of its loop", "%8.2f ms", bench_hold_msec(hold_nsec));
    bench_goal("all machines are found", seconds, BENCH_AT_MOST, GOAL_SEC, "s");
    return EXIT_SUCCESS;
}
