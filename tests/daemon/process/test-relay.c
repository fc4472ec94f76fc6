/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-relay: bytes pass both ways, and each end that goes away ends what belongs to it. */
#include "daemon/process/relay.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "lib/base/error.h"
#include "tests/unit/unit.h"

/* The user's ends. */
static int user[VIOMMU_RELAY_STREAMS];

static ViommuRelay *make(void)
{
    GArray *fds = viommu_held_array_new();
    ViommuRelay *relay = NULL;

    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++) {
        int ends[2];

        ck_assert_int_eq(pipe(ends), 0);
        user[i] = ends[i == 0 ? 1 : 0];
        g_array_append_val(fds, ends[i == 0 ? 0 : 1]);
    }
    viommu_held_add_all(fds, 1000);
    ck_assert(viommu_relay_new(fds, &relay, NULL));
    return relay;
}

static void await(int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};

    ck_assert_int_eq(poll(&polled, 1, 10000), 1);
}

static void assert_text(int fd, const char *wanted)
{
    char text[64] = "";

    await(fd, POLLIN);
    ck_assert_int_eq(read(fd, text, sizeof(text) - 1), (int)strlen(wanted));
    ck_assert_str_eq(text, wanted);
}

/* The threads of held-files close the user's descriptors. */
static void await_closing(void)
{
    for (unsigned i = 0; viommu_held_count(1000) > 0; i++) {
        ck_assert_uint_lt(i, 1000);
        g_usleep(10000);
    }
}

START_TEST(bytes_pass)
{
    ViommuRelay *relay = make();

    ck_assert_int_eq(write(user[0], "in", 2), 2);
    assert_text(relay->ends[0], "in");
    close(user[0]);
    assert_text(relay->ends[0], "");
    ck_assert_int_eq(send(relay->ends[1], "out", 3, 0), 3);
    ck_assert_int_eq(send(relay->ends[2], "err", 3, 0), 3);
    shutdown(relay->ends[1], SHUT_WR);
    shutdown(relay->ends[2], SHUT_WR);
    /* Over before somebody reads, as a pipe has room. */
    await(relay->over, 0);
    assert_text(user[1], "out");
    assert_text(user[1], "");
    assert_text(user[2], "err");
    assert_text(user[2], "");
    viommu_relay_free(relay);
    close(user[1]);
    close(user[2]);
    await_closing();
}
END_TEST

/* A user who does not read cannot keep the thread. */
START_TEST(a_full_pipe)
{
    ViommuRelay *relay = make();
    char piece[4096] = "";
    size_t sent = 0;

    for (unsigned quiet = 0; quiet < 20;) {
        ssize_t n = send(relay->ends[1], piece, sizeof(piece), MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        quiet = n > 0 ? 0 : quiet + 1;
        if (n < 0)
            g_usleep(10000);
    }
    ck_assert_uint_gt(sent, 64 << 10);
    ck_assert_uint_lt(sent, 4 << 20);
    await(user[1], POLLIN);
    viommu_relay_free(relay);
    await_closing();
    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
        close(user[i]);
}
END_TEST

START_TEST(nobody_reads)
{
    ViommuRelay *relay = make();

    close(user[2]);
    await(relay->ends[2], 0);
    close(user[1]);
    await(relay->ends[1], 0);
    await(relay->over, 0);
    viommu_relay_free(relay);
    close(user[0]);
}
END_TEST

/* A socket that is connected to one with a name: the client's end, and the server's. */
static void connect_to_name(int ret_ends[2])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t size = sizeof(address);
    int server = socket(AF_UNIX, SOCK_STREAM, 0);

    ret_ends[0] = socket(AF_UNIX, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(server, (struct sockaddr *)&address, sizeof(address.sun_family)), 0);
    ck_assert_int_eq(listen(server, 1), 0);
    ck_assert_int_eq(getsockname(server, (struct sockaddr *)&address, &size), 0);
    ck_assert_int_eq(connect(ret_ends[0], (struct sockaddr *)&address, size), 0);
    ret_ends[1] = accept(server, NULL, NULL);
    close(server);
}

/* What is written to a service would be viommud's own word there. */
START_TEST(only_sockets_of_nobody)
{
    int pair[2], named[2], datagrams[2], internet = socket(AF_INET, SOCK_STREAM, 0);

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams), 0);
    connect_to_name(named);
    for (int i = 0; i < 2; i++) {
        ck_assert(viommu_relay_check(pair[i], "stdin", NULL));
        ck_assert(!viommu_relay_check(named[i], "stdin", NULL));
        ck_assert(!viommu_relay_check(datagrams[i], "stdin", NULL));
        close(pair[i]);
        close(named[i]);
        close(datagrams[i]);
    }
    ck_assert(!viommu_relay_check(internet, "stdin", NULL));
    close(internet);
}
END_TEST

START_TEST(only_pipes_and_sockets)
{
    g_autoptr(GError) error = NULL;
    int ends[2], null = open("/dev/null", O_RDONLY);

    ck_assert_int_eq(pipe(ends), 0);
    ck_assert(viommu_relay_check(ends[0], "stdin", NULL));
    ck_assert(!viommu_relay_check(null, "stdin", &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    ck_assert(g_str_has_prefix(error->message, "stdin is neither a pipe"));
    close(null);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

UNIT_MAIN("relay", bytes_pass, a_full_pipe, nobody_reads, only_sockets_of_nobody, only_pipes_and_sockets)
