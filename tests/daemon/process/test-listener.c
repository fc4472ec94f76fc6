/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-listener: how many are taken at once, and that there is a rest after them. */
#include "daemon/process/listener.h"

#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/unit.h"

typedef struct Taker {
    unsigned n;
    bool takes;
} Taker;

/* Leaves the client waiting, as accept4() does without a free descriptor. */
static bool count(int fd, void *userdata)
{
    Taker *taker = userdata;

    taker->n++;
    return taker->takes;
}

START_TEST(rounds)
{
    for (unsigned takes = 0; takes < 2; takes++) {
        struct sockaddr_storage name = {.ss_family = AF_UNIX};
        socklen_t size = sizeof(sa_family_t);
        Taker taker = {0, takes};
        ViommuLoop *loop = NULL;
        ViommuListener *listener;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        gint64 begin;

        ck_assert_int_eq(bind(fd, (struct sockaddr *)&name, size), 0);
        ck_assert_int_eq(listen(fd, 1), 0);
        size = sizeof(name);
        ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&name, &size), 0);
        ck_assert_int_eq(connect(client, (struct sockaddr *)&name, size), 0);
        ck_assert(viommu_loop_new(&loop, NULL));
        listener = viommu_listener_new(loop, fd, 3, "here", count, &taker, NULL);
        ck_assert_ptr_nonnull(listener);
        ck_assert_int_gt(sd_event_run(viommu_loop_event(loop), G_USEC_PER_SEC), 0);
        begin = g_get_monotonic_time();
        ck_assert_uint_eq(taker.n, takes ? 3 : 1);
        while (taker.n < (takes ? 6 : 2))
            ck_assert_int_ge(sd_event_run(viommu_loop_event(loop), G_USEC_PER_SEC), 0);
        ck_assert_int_ge(g_get_monotonic_time() - begin, 40 * G_TIME_SPAN_MILLISECOND);
        viommu_listener_free(listener);
        viommu_loop_free(loop);
        close(client);
    }
}
END_TEST

UNIT_MAIN("listener", rounds)
