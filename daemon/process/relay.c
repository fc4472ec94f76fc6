/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* relay: a thread polls all descriptors, and moves what may be moved. */
#include "daemon/process/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "lib/base/error.h"

#define PIECE 16384

typedef struct Stream {
    int from, to;
    bool is_over;
    size_t begin, end; /* of what waits in @data */
    char data[PIECE];
} Stream;

/* What the thread owns. */
typedef struct Carrier {
    GArray *fds; /* the user's, held */
    int ends[VIOMMU_RELAY_STREAMS];
    int over;
    Stream streams[VIOMMU_RELAY_STREAMS];
} Carrier;

/* Only an end of socketpair(2) has no name on either side.  What is sent to any other socket might
 * reach a service that takes it for viommud's own word, such as systemd's for notifications, since
 * the kernel tells the receiver who sends. */
static bool is_pair(int fd)
{
    struct sockaddr_un own, other;
    socklen_t own_size = sizeof(own), other_size = sizeof(other), size = sizeof(int);
    int domain, type;

    return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
           getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM &&
           getsockname(fd, (struct sockaddr *)&own, &own_size) == 0 &&
           getpeername(fd, (struct sockaddr *)&other, &other_size) == 0 &&
           own_size <= offsetof(struct sockaddr_un, sun_path) &&
           other_size <= offsetof(struct sockaddr_un, sun_path);
}

bool viommu_relay_check(int fd, const char *name, GError **error)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", fd);
    g_autofree char *link = g_file_read_link(path, NULL);

    /* fstat(2) would ask the server of a FUSE file. */
    if (link && (g_str_has_prefix(link, "pipe:") || (g_str_has_prefix(link, "socket:") && is_pair(fd))))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "%s is neither a pipe without a name nor an end of a socketpair(2) of streams; pass an end of one, and copy between it and your file",
        name);
}

/* --- The thread --- */

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Whoever reads the output sees its end at once. */
static void finish(Carrier *carrier, size_t i)
{
    Stream *stream = &carrier->streams[i];

    if (stream->is_over)
        return;
    stream->is_over = true;
    close_end(&carrier->ends[i]);
    viommu_held_close(g_array_index(carrier->fds, int, i));
    g_array_index(carrier->fds, int, i) = -1;
}

/* 0: the end; negative, with EAGAIN: nothing now. */
static ssize_t take(int fd, void *data, size_t size)
{
    ssize_t n = recv(fd, data, size, MSG_DONTWAIT);

    return n < 0 && errno == ENOTSOCK ? read(fd, data, size) : n;
}

/* A pipe that has room at all has room for PIPE_BUF bytes. */
static ssize_t put(int fd, const void *data, size_t size)
{
    ssize_t n = send(fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);

    return n < 0 && errno == ENOTSOCK ? write(fd, data, MIN(size, (size_t)PIPE_BUF)) : n;
}

static bool is_passing(void)
{
    return errno == EAGAIN || errno == EINTR;
}

static void fill(Carrier *carrier, size_t i)
{
    Stream *stream = &carrier->streams[i];
    ssize_t n = take(stream->from, stream->data, PIECE);

    if (n == 0 || (n < 0 && !is_passing()))
        finish(carrier, i);
    stream->begin = 0;
    stream->end = n > 0 ? (size_t)n : 0;
}

static void drain(Carrier *carrier, size_t i)
{
    Stream *stream = &carrier->streams[i];
    ssize_t n = put(stream->to, stream->data + stream->begin, stream->end - stream->begin);

    if (n < 0 && !is_passing())
        finish(carrier, i);
    stream->begin += n > 0 ? (size_t)n : 0;
}

static void prepare(const Stream *stream, bool from_user, struct pollfd polled[2])
{
    bool waits = stream->begin < stream->end;

    polled[0] = (struct pollfd){.fd = stream->is_over || (waits && from_user) ? -1 : stream->from,
                                .events = waits ? 0 : POLLIN};
    polled[1] = (struct pollfd){.fd = stream->is_over ? -1 : stream->to, .events = waits ? POLLOUT : 0};
}

/* An end of viommud's own hangs up only when the relay is dropped. */
static bool is_broken(const struct pollfd polled[2], bool from_user)
{
    return (polled[1].revents & (POLLERR | POLLHUP | POLLNVAL)) || (polled[0].revents & POLLNVAL) ||
           (!from_user && (polled[0].revents & (POLLERR | POLLHUP)));
}

static void move(Carrier *carrier, size_t i, const struct pollfd polled[2])
{
    if (is_broken(polled, i == 0))
        finish(carrier, i);
    else if (polled[1].revents & POLLOUT)
        drain(carrier, i);
    else if (polled[0].revents)
        fill(carrier, i);
}

static void *run(void *data)
{
    Carrier *carrier = data;
    struct pollfd polled[2 * VIOMMU_RELAY_STREAMS];

    while (!carrier->streams[1].is_over || !carrier->streams[2].is_over) {
        for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
            prepare(&carrier->streams[i], i == 0, &polled[2 * i]);
        if (poll(polled, G_N_ELEMENTS(polled), -1) < 0 && errno != EINTR)
            break;
        for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
            move(carrier, i, &polled[2 * i]);
    }
    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
        finish(carrier, i);
    g_array_unref(carrier->fds);
    close_end(&carrier->over);
    g_free(carrier);
    return NULL;
}

/* --- Its making --- */

static void set_streams(Carrier *carrier)
{
    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++) {
        int fd = g_array_index(carrier->fds, int, i);

        carrier->streams[i].from = i == 0 ? fd : carrier->ends[i];
        carrier->streams[i].to = i == 0 ? carrier->ends[i] : fd;
    }
}

static bool make_pair(int *ret_own, int *ret_other)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
        return false;
    *ret_own = pair[0];
    *ret_other = pair[1];
    return true;
}

static bool start(ViommuRelay *relay, Carrier *carrier)
{
    GThread *thread;
    bool good = make_pair(&relay->over, &carrier->over);

    for (size_t i = 0; good && i < VIOMMU_RELAY_STREAMS; i++)
        good = make_pair(&relay->ends[i], &carrier->ends[i]);
    if (!good)
        return false;
    set_streams(carrier);
    thread = g_thread_try_new("relay", run, carrier, NULL);
    if (thread)
        g_thread_unref(thread);
    return thread;
}

bool viommu_relay_new(GArray *fds, ViommuRelay **ret_relay, GError **error)
{
    g_autoptr(ViommuRelay) relay = g_new(ViommuRelay, 1);
    Carrier *carrier = g_new0(Carrier, 1);

    *relay = (ViommuRelay){{-1, -1, -1}, -1};
    carrier->fds = fds;
    carrier->over = -1;
    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
        carrier->ends[i] = -1;
    if (start(relay, carrier)) {
        *ret_relay = g_steal_pointer(&relay);
        return true;
    }
    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
        close_end(&carrier->ends[i]);
    close_end(&carrier->over);
    g_array_unref(carrier->fds);
    g_free(carrier);
    return viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "viommud has no thread or socket left for the command; try again later");
}

void viommu_relay_drop(ViommuRelay *relay)
{
    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
        close_end(&relay->ends[i]);
}

void viommu_relay_free(ViommuRelay *relay)
{
    if (!relay)
        return;
    viommu_relay_drop(relay);
    close_end(&relay->over);
    g_free(relay);
}
