/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resident: how much memory a process takes, as the kernel counts it.  Knows /proc, not the process. */
#pragma once

#include <stdint.h>

typedef struct BenchResident {
    uint64_t all_bytes;   /* RSS: with the pages of libraries, which others have too */
    uint64_t share_bytes; /* PSS: a page counts by its share */
    uint64_t own_bytes;   /* private and written: heap, stacks, relocated data; the same whoever else runs */
} BenchResident;

/** @pid 0: this process.  A process that is not there, or not ours, ends the program. */
BenchResident bench_resident_read(int pid);
