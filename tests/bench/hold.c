/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hold: reads what loop-hold writes. */
#include "tests/bench/hold.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "tests/bench/bench.h"

uint64_t *bench_hold_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        bench_die("cannot map %s", path);
    close(fd);
    return map;
}

void bench_hold_reset(uint64_t *hold)
{
    __atomic_store_n(hold, 0, __ATOMIC_RELAXED);
}

double bench_hold_msec(const uint64_t *hold)
{
    return (double)__atomic_load_n(hold, __ATOMIC_RELAXED) / 1e6;
}
