/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-ready-socket: what guests may say, in any pieces, and what they cannot take. */
#include "daemon/process/ready-socket.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/unit.h"

static ViommuLoop *loop;
static ViommuReadySocket *ready;
static unsigned n_told;
static uint32_t told;
static bool known; /* whose context it is */

static bool on_told(uint32_t cid, void *userdata)
{
    n_told++;
    told = cid;
    return known;
}

/* Connections come by viommu_ready_socket_take(): a kernel connects no process to itself. */
static void begin(void)
{
    const struct sockaddr unnamed = {.sa_family = AF_UNIX};
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert_int_eq(bind(listener, &unnamed, sizeof(unnamed.sa_family)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
    n_told = told = 0;
    known = true;
    ck_assert(viommu_loop_new(&loop, NULL));
    ready = viommu_ready_socket_new(loop, listener, on_told, NULL, NULL);
    ck_assert_ptr_nonnull(ready);
}

static void end(void)
{
    viommu_ready_socket_free(ready);
    viommu_loop_free(loop);
}

/* The guest's end of a connection. */
static int connect_guest(uint32_t cid)
{
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends), 0);
    viommu_ready_socket_take(ready, ends[0], cid);
    return ends[1];
}

static void turn(void)
{
    while (sd_event_run(viommu_loop_event(loop), 0) > 0)
        ;
}

static bool is_closed(int fd)
{
    char byte;

    /* or reset, if viommud has left bytes unread */
    return recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) == 0 || errno == ECONNRESET;
}

/* Says @text in two pieces around @cut, and ends; true: viommud has closed the connection. */
static bool say(uint32_t cid, const char *text, size_t cut)
{
    int fd = connect_guest(cid);
    bool closed;

    ck_assert_int_eq(send(fd, text, cut, 0), (int)cut);
    turn();
    if (!is_closed(fd) && text[cut])
        ck_assert_int_eq(send(fd, text + cut, strlen(text + cut), MSG_NOSIGNAL), (int)strlen(text + cut));
    turn();
    ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
    turn();
    closed = is_closed(fd);
    close(fd);
    return closed;
}

START_TEST(words)
{
    static const struct {
        const char *text;
        unsigned n;
    } cases[] = {
        {"READY=1", 1},
        {"READY=1\n", 1},
        {"STATUS=Startup finished in 3s.\nREADY=1\nX_SYSTEMD_UNIT_ACTIVE=x\n", 1},
        {"NOTREADY=1\nREADY=1", 1},
        {"", 0},
        {"READY=0\n", 0},
        {"READY=10\n", 0},
        {"XREADY=1\n", 0},
        {"STATUS=READY=1\n", 0},
        {"READY=1 \n", 0},
        {"STOPPING=1\n", 0},
    };

    begin();
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        for (size_t cut = 0; cut <= strlen(cases[i].text); cut++) {
            n_told = 0;
            ck_assert(say(7, cases[i].text, cut));
            ck_assert_uint_eq(n_told, cases[i].n);
            ck_assert(n_told == 0 || told == 7);
        }
    end();
}
END_TEST

START_TEST(too_much)
{
    g_autofree char *text = g_strnfill(VIOMMU_READY_BYTES + 1, 'x');
    static const char zero[] = "X=\0\nREADY=1\n";
    int fd;

    memcpy(text, "READY=1\n", strlen("READY=1\n"));
    begin();
    ck_assert(say(7, text, VIOMMU_READY_BYTES / 2));
    fd = connect_guest(7);
    ck_assert_int_eq(send(fd, zero, sizeof(zero) - 1, 0), (int)sizeof(zero) - 1);
    turn();
    ck_assert(is_closed(fd));
    close(fd);
    ck_assert_uint_eq(n_told, 0);
    end();
}
END_TEST

/* One guest holds two connections at most; if all guests together hold what the header says, the
 * oldest connection ends for a new one. */
START_TEST(too_many)
{
    int fds[VIOMMU_READY_CONNECTIONS + 1];

    begin();
    for (unsigned i = 0; i < VIOMMU_READY_CONNECTIONS_EACH + 1; i++)
        fds[i] = connect_guest(3);
    for (unsigned i = 0; i < VIOMMU_READY_CONNECTIONS_EACH + 1; i++)
        ck_assert(is_closed(fds[i]) == (i == VIOMMU_READY_CONNECTIONS_EACH));
    ck_assert(say(4, "READY=1", 3));
    ck_assert_uint_eq(told, 4);
    close(fds[VIOMMU_READY_CONNECTIONS_EACH]);
    for (unsigned i = VIOMMU_READY_CONNECTIONS_EACH; i < VIOMMU_READY_CONNECTIONS; i++)
        fds[i] = connect_guest(100 + i);
    ck_assert(!is_closed(fds[0]));
    fds[VIOMMU_READY_CONNECTIONS] = connect_guest(4);
    for (unsigned i = 0; i < VIOMMU_READY_CONNECTIONS + 1; i++)
        ck_assert(is_closed(fds[i]) == (i == 0));
    ck_assert_int_eq(send(fds[VIOMMU_READY_CONNECTIONS], "READY=1", 7, 0), 7);
    ck_assert_int_eq(shutdown(fds[VIOMMU_READY_CONNECTIONS], SHUT_WR), 0);
    n_told = 0;
    turn();
    ck_assert_uint_eq(n_told, 1);
    for (unsigned i = 0; i < VIOMMU_READY_CONNECTIONS + 1; i++)
        close(fds[i]);
    turn();
    ck_assert(say(5, "READY=1", 0));
    end();
}
END_TEST

/* A guest that says nothing more loses its connection. */
START_TEST(silent)
{
    int fd;
    bool closed = false;

    begin();
    fd = connect_guest(9);
    ck_assert_int_eq(send(fd, "READY=1\n", 8, 0), 8);
    while (!closed) {
        ck_assert_int_ge(sd_event_run(viommu_loop_event(loop), 20 * G_USEC_PER_SEC), 1);
        closed = is_closed(fd);
    }
    ck_assert_uint_eq(n_told, 0);
    close(fd);
    end();
}
END_TEST

/* Its guest is asked for again, until the guest ends, its time is over, or it is known. */
START_TEST(not_known_yet)
{
    for (int learnt = 0; learnt < 2; learnt++) {
        int fd;

        begin();
        known = false;
        fd = connect_guest(9);
        ck_assert_int_eq(send(fd, "READY=1\n", 8, 0), 8);
        ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        while (n_told < 3)
            ck_assert_int_ge(sd_event_run(viommu_loop_event(loop), 20 * G_USEC_PER_SEC), 1);
        ck_assert(!is_closed(fd));
        known = learnt;
        while (learnt && !is_closed(fd))
            ck_assert_int_ge(sd_event_run(viommu_loop_event(loop), 20 * G_USEC_PER_SEC), 1);
        ck_assert_uint_eq(n_told, 3 + (unsigned)learnt);
        close(fd);
        turn();
        known = true;
        ck_assert_int_eq(sd_event_run(viommu_loop_event(loop), 300 * G_TIME_SPAN_MILLISECOND), 0);
        ck_assert_uint_eq(n_told, 3 + (unsigned)learnt);
        end();
    }
}
END_TEST

UNIT_MAIN("ready-socket", words, too_much, too_many, silent, not_known_yet)
