/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench: time, order statistics, output.  Does not know what is measured. */
#include "tests/bench/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static uint64_t clock_nsec(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t bench_now_nsec(void)
{
    return clock_nsec(CLOCK_MONOTONIC);
}

uint64_t bench_cpu_nsec(void)
{
    return clock_nsec(CLOCK_THREAD_CPUTIME_ID);
}

void bench_die(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fprintf(stderr, "%s: ", g_get_prgname());
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    /* Not exit(): threads of libvirt may be running. */
    _Exit(EXIT_FAILURE);
}

/* --- Samples --- */

GArray *bench_samples_new(void)
{
    return g_array_new(FALSE, FALSE, sizeof(double));
}

void bench_samples_add(GArray *samples, double value)
{
    g_array_append_val(samples, value);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

double bench_samples_at(GArray *samples, double share)
{
    if (samples->len == 0)
        bench_die("no samples");
    g_array_sort(samples, compare);
    return g_array_index(samples, double, (guint)(share * (samples->len - 1) + 0.5));
}

/* --- Lines --- */

void bench_title(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void bench_row(const char *what, const char *format, ...)
{
    va_list args;

    printf("    %-44s ", what);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    fflush(stdout);
}

void bench_goal(const char *what, double value, BenchBound bound, double goal, const char *unit)
{
    bool met = bound == BENCH_AT_MOST ? value <= goal : value >= goal;

    printf("  = %-44s %10.5g%s%s  goal: at %s %g%s%s  %s\n", what, value, *unit ? " " : "", unit,
           bound == BENCH_AT_MOST ? "most" : "least", goal, *unit ? " " : "", unit, met ? "met" : "MISSED");
    fflush(stdout);
}
