/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loop-hold: preloaded into viommud; keeps the longest time for which its loop did not look for
 * news, in nanoseconds of CPU time, in a file.  The time between two looks is one step of the loop.
 * Other processes do not change the CPU time. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* These override the C library's own. */
#define PUBLIC __attribute__((visibility("default")))

static uint64_t *longest_nsec;
static uint64_t began_nsec;

__attribute__((constructor)) static void find_file(void)
{
    const char *path = getenv("VIOMMU_BENCH_HOLD");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map =
        fd < 0 ? MAP_FAILED : mmap(NULL, sizeof(*longest_nsec), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        abort();
    longest_nsec = map;
    close(fd);
    /* Not into what viommud starts. */
    unsetenv("LD_PRELOAD");
}

/* viommud's loop runs on its first thread. */
static int is_loop(void)
{
    return syscall(SYS_gettid) == getpid();
}

static uint64_t cpu_nsec(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void end_step(void)
{
    uint64_t held = is_loop() && began_nsec ? cpu_nsec() - began_nsec : 0;

    if (held > __atomic_load_n(longest_nsec, __ATOMIC_RELAXED))
        __atomic_store_n(longest_nsec, held, __ATOMIC_RELAXED);
}

static int begin_step(int r)
{
    if (is_loop())
        began_nsec = cpu_nsec();
    return r;
}

PUBLIC int epoll_wait(int fd, struct epoll_event *events, int n, int timeout)
{
    static int (*real)(int, struct epoll_event *, int, int);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
    end_step();
    return begin_step(real(fd, events, n, timeout));
}

/* The C library declares it since 2.35. */
int epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                 const sigset_t *mask);

PUBLIC int epoll_pwait2(int fd, struct epoll_event *events, int n, const struct timespec *timeout,
                        const sigset_t *mask)
{
    static int (*real)(int, struct epoll_event *, int, const struct timespec *, const sigset_t *);

    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "epoll_pwait2");
    end_step();
    return begin_step(real(fd, events, n, timeout, mask));
}
