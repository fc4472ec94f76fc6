/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* jumping-clock: preloaded into the daemon; shifts the time of day by the number in a file, in
 * microseconds.  Clocks that nobody can set stay the kernel's. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* These override the C library's own. */
#define PUBLIC __attribute__((visibility("default")))

#define USEC_PER_SEC INT64_C(1000000)

static const int64_t *offset_usec;

__attribute__((constructor)) static void find_offset(void)
{
    const char *path = getenv("VIOMMU_TEST_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *map = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*offset_usec), PROT_READ, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        abort();
    offset_usec = map;
    close(fd);
}

static int64_t offset(void)
{
    return offset_usec ? __atomic_load_n(offset_usec, __ATOMIC_RELAXED) : 0;
}

PUBLIC int clock_gettime(clockid_t clock, struct timespec *time)
{
    static int (*real)(clockid_t, struct timespec *);
    int r;

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
    r = real(clock, time);
    if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += offset() / USEC_PER_SEC;
    return r;
}

PUBLIC int gettimeofday(struct timeval *restrict time, void *restrict zone)
{
    struct timespec now;
    int r = clock_gettime(CLOCK_REALTIME, &now);

    (void)zone;
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return r;
}

PUBLIC time_t time(time_t *ret)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (ret)
        *ret = now.tv_sec;
    return now.tv_sec;
}
