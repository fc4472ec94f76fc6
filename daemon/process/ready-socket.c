/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/ready-socket.h"

#include <errno.h>
#include <glib.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>
#include <unistd.h>
#include "daemon/process/listener.h"
#include "daemon/process/log.h"

/* libvirt tells the context of a guest within milliseconds. */
#define AGAIN_USEC (100 * G_TIME_SPAN_MILLISECOND)
#define KEPT_NAME  "ready"
#define BACKLOG    128

typedef struct Connection {
    ViommuReadySocket *socket;
    int fd;
    uint32_t cid;
    sd_event_source *input, *timeout;
    sd_event_source *again; /* its message is complete; NULL: not yet */
    char text[VIOMMU_READY_BYTES + 1];
    size_t length;
} Connection;

struct ViommuReadySocket {
    sd_event *event; /* borrowed */
    ViommuListener *listener;
    GPtrArray *connections; /* Connection, owned, the oldest first */
    ViommuReadyFunc func;
    void *userdata;
};

static void free_connection(void *data)
{
    Connection *connection = data;

    sd_event_source_disable_unref(connection->input);
    sd_event_source_disable_unref(connection->again);
    sd_event_source_disable_unref(connection->timeout);
    close(connection->fd);
    g_free(connection);
}

static void end(Connection *connection)
{
    g_ptr_array_remove(connection->socket->connections, connection);
}

/* --- A message --- */

/* READY=1 is a line of its own. */
static bool says_ready(const char *text)
{
    const char *at = strstr(text, "READY=1");

    for (; at; at = strstr(at + 1, "READY=1"))
        if ((at == text || at[-1] == '\n') && strchr("\n", at[strlen("READY=1")]))
            return true;
    return false;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata);

/* The guest waits for the end of the connection.  Its own end, or a reset, is heard all the same:
 * its context may be another's next. */
static void wait_for_context(Connection *connection)
{
    if (sd_event_add_time_relative(connection->socket->event, &connection->again, CLOCK_MONOTONIC, AGAIN_USEC,
                                   0, on_again, connection) < 0 ||
        sd_event_source_set_io_events(connection->input, 0) < 0)
        end(connection);
}

static void finish(Connection *connection)
{
    ViommuReadySocket *socket = connection->socket;

    if (!says_ready(connection->text) || socket->func(connection->cid, socket->userdata))
        end(connection);
    else
        wait_for_context(connection);
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    Connection *connection = userdata;
    ViommuReadySocket *socket = connection->socket;

    if (socket->func(connection->cid, socket->userdata)) {
        end(connection);
        return 0;
    }
    (void)sd_event_source_set_time_relative(source, AGAIN_USEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Connection *connection = userdata;
    ssize_t n;

    if (connection->again) {
        end(connection);
        return 0;
    }
    n = recv(fd, connection->text + connection->length, VIOMMU_READY_BYTES - connection->length, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    /* a zero would hide what follows, and is no part of a message */
    if (n > 0 && !memchr(connection->text + connection->length, 0, (size_t)n) &&
        connection->length + (size_t)n < VIOMMU_READY_BYTES) {
        connection->length += (size_t)n;
        return 0;
    }
    if (n == 0)
        finish(connection);
    else
        end(connection);
    return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    end(userdata);
    return 0;
}

/* --- Connections --- */

static unsigned count_of(const ViommuReadySocket *socket, uint32_t cid)
{
    unsigned n = 0;

    for (guint i = 0; i < socket->connections->len; i++)
        n += ((const Connection *)g_ptr_array_index(socket->connections, i))->cid == cid;
    return n;
}

void viommu_ready_socket_take(ViommuReadySocket *socket, int fd, uint32_t cid)
{
    Connection *connection;

    if (count_of(socket, cid) >= VIOMMU_READY_CONNECTIONS_EACH) {
        close(fd);
        return;
    }
    /* A guest that speaks is done within milliseconds. */
    if (socket->connections->len >= VIOMMU_READY_CONNECTIONS)
        end(g_ptr_array_index(socket->connections, 0));
    connection = g_new0(Connection, 1);
    connection->socket = socket;
    connection->fd = fd;
    connection->cid = cid;
    g_ptr_array_add(socket->connections, connection);
    if (sd_event_add_io(socket->event, &connection->input, fd, EPOLLIN, on_input, connection) < 0 ||
        sd_event_add_time_relative(socket->event, &connection->timeout, CLOCK_MONOTONIC,
                                   VIOMMU_READY_SECONDS * G_USEC_PER_SEC, 0, on_timeout, connection) < 0)
        end(connection);
}

static bool take_next(int listener, void *userdata)
{
    struct sockaddr_vm peer = {0};
    socklen_t size = sizeof(peer);
    int taken = accept4(listener, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (taken >= 0)
        viommu_ready_socket_take(userdata, taken, peer.svm_cid);
    return taken >= 0;
}

/* --- The socket --- */

static int bind_at(int fd, uint32_t port)
{
    const struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};

    return bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, BACKLOG) < 0
               ? -errno
               : 0;
}

static bool listens_at(int fd, uint32_t port)
{
    struct sockaddr_vm address = {0};
    socklen_t size = sizeof(address);

    return fd >= 0 && getsockname(fd, (struct sockaddr *)&address, &size) == 0 &&
           address.svm_family == AF_VSOCK && address.svm_port == port;
}

int viommu_ready_socket_listen(ViommuKept *kept, uint32_t port)
{
    int fd = viommu_kept_take(kept, KEPT_NAME), r;

    if (listens_at(fd, port))
        return fd;
    if (fd >= 0)
        close(fd);
    fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    r = fd < 0 ? -errno : bind_at(fd, port);
    if (r == 0) {
        viommu_kept_store(KEPT_NAME, fd);
        return fd;
    }
    if (r == -EADDRINUSE)
        viommu_log(LOG_NOTICE, NULL,
                   "another process listens at vsock port %" G_GUINT32_FORMAT
                   ", so guests cannot say there that they are ready; wait: ready needs their agents",
                   port);
    if (fd >= 0)
        close(fd);
    return -1;
}

ViommuReadySocket *viommu_ready_socket_new(ViommuLoop *loop, int listener, ViommuReadyFunc func,
                                           void *userdata, GError **error)
{
    ViommuReadySocket *socket = g_new0(ViommuReadySocket, 1);

    socket->event = viommu_loop_event(loop);
    socket->connections = g_ptr_array_new_with_free_func(free_connection);
    socket->func = func;
    socket->userdata = userdata;
    socket->listener = viommu_listener_new(loop, listener, BACKLOG, "on vsock", take_next, socket, error);
    if (!socket->listener)
        g_clear_pointer(&socket, viommu_ready_socket_free);
    return socket;
}

void viommu_ready_socket_free(ViommuReadySocket *socket)
{
    if (!socket)
        return;
    viommu_listener_free(socket->listener);
    g_ptr_array_unref(socket->connections);
    g_free(socket);
}
