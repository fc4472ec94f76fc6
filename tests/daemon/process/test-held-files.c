/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Descriptors whose close(2) waits: TCP sockets with SO_LINGER wait until the other end has read
 * all bytes. */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "lib/base/error.h"

#define SLOW_USER  1000u
#define OTHER_USER 1001u
#define LINGER_SEC 30

static const struct linger linger = {.l_onoff = 1, .l_linger = LINGER_SEC};

/* Closing it waits until *ret_reader is closed, or for LINGER_SEC. */
static int open_slow(int *ret_reader)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    static const char bytes[65536];
    int listener = socket(AF_INET, SOCK_STREAM, 0), slow = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(connect(slow, (struct sockaddr *)&address, sizeof(address)), 0);
    *ret_reader = accept(listener, NULL, NULL);
    close(listener);
    ck_assert_int_eq(setsockopt(slow, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    while (send(slow, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
        ;
    return slow;
}

static bool is_open(int fd)
{
    return fcntl(fd, F_GETFD) >= 0;
}

static void wait_for(uint32_t uid, unsigned n)
{
    for (gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC; viommu_held_count(uid) != n;) {
        ck_assert_msg(g_get_monotonic_time() < end, "%u are held", viommu_held_count(uid));
        g_usleep(1000);
    }
}

static void assert_busy(uint32_t uid, unsigned n, const char *words)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_held_check(uid, n, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY));
    ck_assert_msg(strstr(error->message, words), "%s", error->message);
}

/* The closing threads start when the kernel lets them, so a time alone does not say that they
 * hang. */
static void wait_until_all_hang(uint32_t uid)
{
    for (gint64 end = g_get_monotonic_time() + 20 * G_USEC_PER_SEC; viommu_held_check(uid, 1, NULL);) {
        ck_assert_msg(g_get_monotonic_time() < end, "no thread hangs");
        g_usleep(1000);
    }
}

START_TEST(nobody_waits)
{
    int readers[VIOMMU_HELD_CLOSERS_MAX + 2], slow, other = open("/dev/null", O_RDONLY | O_CLOEXEC);
    gint64 begin = g_get_monotonic_time();

    for (size_t i = 0; i < G_N_ELEMENTS(readers); i++) {
        slow = open_slow(&readers[i]);
        viommu_held_add(slow, SLOW_USER);
        viommu_held_close(slow);
    }
    ck_assert_int_lt(g_get_monotonic_time() - begin, LINGER_SEC / 2 * G_USEC_PER_SEC);
    ck_assert_uint_eq(viommu_held_count(SLOW_USER), G_N_ELEMENTS(readers));
    /* Another user's descriptors are closed meanwhile. */
    viommu_held_add(other, OTHER_USER);
    ck_assert_uint_eq(viommu_held_count(OTHER_USER), 1);
    viommu_held_close(other);
    wait_for(OTHER_USER, 0);
    ck_assert(!is_open(other));
    wait_until_all_hang(SLOW_USER);
    assert_busy(SLOW_USER, 1, "cannot close 6 files of user 1000");
    ck_assert(viommu_held_check(OTHER_USER, 1, NULL));
    for (size_t i = 0; i < G_N_ELEMENTS(readers); i++)
        close(readers[i]);
    wait_for(SLOW_USER, 0);
    ck_assert(viommu_held_check(SLOW_USER, 1, NULL));
}
END_TEST

START_TEST(each_user_has_a_share)
{
    struct rlimit before, few;
    g_autoptr(GArray) fds = viommu_held_array_new();
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    few = (struct rlimit){512, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &few), 0);
    viommu_held_add(file, SLOW_USER);
    g_array_append_val(fds, file);
    while (viommu_held_check(SLOW_USER, 1, NULL)) {
        int copy = viommu_held_dup(file);

        ck_assert_int_ge(copy, 0);
        g_array_append_val(fds, copy);
    }
    ck_assert_uint_eq(fds->len, 64);
    assert_busy(SLOW_USER, 1, "already hold 64 open files, of 64");
    ck_assert(viommu_held_check(OTHER_USER, 16, NULL));
    g_array_set_size(fds, 0);
    wait_for(SLOW_USER, 0);
    ck_assert(viommu_held_check(SLOW_USER, 16, NULL));
    setrlimit(RLIMIT_NOFILE, &before);
}
END_TEST

/* A copy of a descriptor without an owner has no owner either, and is closed at once. */
START_TEST(without_an_owner)
{
    int file = open("/dev/null", O_RDONLY | O_CLOEXEC), copy = viommu_held_dup(file);

    viommu_held_close(copy);
    ck_assert(!is_open(copy));
    viommu_held_close(file);
    ck_assert(!is_open(file));
    ck_assert_int_lt(viommu_held_dup(file), 0);
    ck_assert_int_eq(errno, EBADF);
}
END_TEST

UNIT_MAIN("held-files", nobody_waits, each_user_has_a_share, without_an_owner)
