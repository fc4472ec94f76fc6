/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resident: the memory of a process, as the kernel counts it.  Knows /proc, not the process. */
#pragma once

#include <stdint.h>

typedef struct BenchResident {
    uint64_t all_bytes;   /* RSS: with pages of libraries, which other processes share */
    uint64_t share_bytes; /* PSS: a shared page counts in part */
    /* private and written pages: heap, stacks, relocated data; independent of other processes */
    uint64_t own_bytes;
} BenchResident;

/** @pid 0: this process.  If the process does not exist, or belongs to another user, the program
 *  ends. */
BenchResident bench_resident_read(int pid);
