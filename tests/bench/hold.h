/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold: the file in which loop-hold, preloaded into viommud, keeps the longest step of its loop. */
#pragma once

#include <stdint.h>

/** Maps the file, which has 8 bytes.  Never freed. */
uint64_t *bench_hold_open(const char *path);
/** Begins anew. */
void bench_hold_reset(uint64_t *hold);
/** The longest step since the beginning. */
double bench_hold_msec(const uint64_t *hold);
