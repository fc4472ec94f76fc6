/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bench: the common part of all benches: time, order statistics, and the lines they print.  Does
 * not know what is measured.  A failure ends the program. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

uint64_t bench_now_nsec(void);
/** CPU time of this thread, which the load of other processes does not change. */
uint64_t bench_cpu_nsec(void);
void bench_die(const char *format, ...) G_GNUC_PRINTF(1, 2) G_GNUC_NORETURN;

/* --- Samples: a GArray of double --- */

GArray *bench_samples_new(void);
void bench_samples_add(GArray *samples, double value);
/** @share 0.5: the median.  Sorts @samples. */
double bench_samples_at(GArray *samples, double share);

/* --- Lines --- */

void bench_title(const char *format, ...) G_GNUC_PRINTF(1, 2);
void bench_row(const char *what, const char *format, ...) G_GNUC_PRINTF(2, 3);

typedef enum BenchBound {
    BENCH_AT_MOST,
    BENCH_AT_LEAST,
} BenchBound;
/** Prints a line that compares a figure with the project's goal; tests/bench/run collects them. */
void bench_goal(const char *what, double value, BenchBound bound, double goal, const char *unit);
