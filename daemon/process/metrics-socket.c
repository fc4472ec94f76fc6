/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/metrics-socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/process/listener.h"

typedef struct Connection {
    ViommuMetricsSocket *socket;
    int fd;
    sd_event_source *io, *timeout;
    char request[VIOMMU_METRICS_BYTES + 1];
    size_t length;
    GString *answer; /* NULL: the request is not complete */
    size_t sent;
} Connection;

struct ViommuMetricsSocket {
    sd_event *event; /* borrowed */
    ViommuListener *listener;
    GPtrArray *connections; /* Connection, owned, the oldest first */
    ViommuMetricsFunc func;
    void *userdata;
    char *text; /* NULL: none yet */
    gint64 made_usec;
};

static void free_connection(void *data)
{
    Connection *connection = data;

    sd_event_source_disable_unref(connection->io);
    sd_event_source_disable_unref(connection->timeout);
    close(connection->fd);
    if (connection->answer)
        g_string_free(connection->answer, TRUE);
    g_free(connection);
}

static void end(Connection *connection)
{
    g_ptr_array_remove(connection->socket->connections, connection);
}

/* --- The answer --- */

static const char *present_text(ViommuMetricsSocket *socket)
{
    gint64 now = g_get_monotonic_time();

    if (socket->text && now - socket->made_usec < VIOMMU_METRICS_AGE_USEC)
        return socket->text;
    g_free(socket->text);
    socket->text = socket->func(socket->userdata);
    socket->made_usec = now;
    return socket->text;
}

static const struct {
    const char *status, *words; /* words NULL: the metrics */
} answers[] = {
    {"200 OK", NULL},
    {"400 Bad Request", "This is no request of HTTP/1.\n"},
    {"404 Not Found", "There is /metrics, and nothing else.\n"},
    {"405 Method Not Allowed", "Use GET.\n"},
    {"431 Request Header Fields Too Large", "The request has more than 4 KiB.\n"},
};
enum {
    OK,
    BAD,
    NOT_FOUND,
    NOT_ALLOWED,
    TOO_LARGE
};

/* What the request line, which ends at @end, asks for. */
static int judge(char *line, char *line_end)
{
    g_auto(GStrv) words = NULL;

    *line_end = '\0';
    words = g_strsplit(line, " ", 4);
    if (g_strv_length(words) != 3 ||
        (!g_str_equal(words[2], "HTTP/1.0") && !g_str_equal(words[2], "HTTP/1.1")))
        return BAD;
    if (!g_str_equal(words[0], "GET"))
        return NOT_ALLOWED;
    return g_str_equal(words[1], "/metrics") ? OK : NOT_FOUND;
}

static int on_output(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Connection *connection = userdata;
    ssize_t n = send(fd, connection->answer->str + connection->sent,
                     connection->answer->len - connection->sent, MSG_NOSIGNAL);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    connection->sent += (size_t)MAX(n, 0);
    if (n < 0 || connection->sent == connection->answer->len)
        end(connection);
    return 0;
}

static void answer(Connection *connection, int which)
{
    const char *body = answers[which].words ? answers[which].words : present_text(connection->socket);
    const char *type =
        answers[which].words ? "text/plain" : "application/openmetrics-text; version=1.0.0; charset=utf-8";

    connection->answer = g_string_new(NULL);
    g_string_append_printf(
        connection->answer,
        "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
        answers[which].status, type, strlen(body), body);
    connection->io = sd_event_source_disable_unref(connection->io);
    if (sd_event_add_io(connection->socket->event, &connection->io, connection->fd, EPOLLOUT, on_output,
                        connection) < 0)
        end(connection);
}

/* --- The request --- */

static int on_input(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Connection *connection = userdata;
    ssize_t n =
        recv(fd, connection->request + connection->length, VIOMMU_METRICS_BYTES - connection->length, 0);
    char *line_end;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n <= 0) {
        end(connection);
        return 0;
    }
    connection->length += (size_t)n;
    connection->request[connection->length] = '\0';
    line_end = strstr(connection->request, "\r\n");
    if (memchr(connection->request, 0, connection->length))
        answer(connection, BAD);
    else if (line_end && strstr(line_end, "\r\n\r\n"))
        answer(connection, judge(connection->request, line_end));
    else if (connection->length == VIOMMU_METRICS_BYTES)
        answer(connection, TOO_LARGE);
    return 0;
}

static int on_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
    end(userdata);
    return 0;
}

/* --- Connections --- */

static bool take_next(int listener, void *userdata)
{
    ViommuMetricsSocket *socket = userdata;
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    Connection *connection;

    if (fd < 0)
        return false;
    if (socket->connections->len >= VIOMMU_METRICS_CONNECTIONS)
        end(g_ptr_array_index(socket->connections, 0));
    connection = g_new0(Connection, 1);
    connection->socket = socket;
    connection->fd = fd;
    g_ptr_array_add(socket->connections, connection);
    if (sd_event_add_io(socket->event, &connection->io, fd, EPOLLIN, on_input, connection) < 0 ||
        sd_event_add_time_relative(socket->event, &connection->timeout, CLOCK_MONOTONIC,
                                   VIOMMU_METRICS_SECONDS * G_USEC_PER_SEC, 0, on_timeout, connection) < 0)
        end(connection);
    return true;
}

ViommuMetricsSocket *viommu_metrics_socket_new(ViommuLoop *loop, int listener, ViommuMetricsFunc func,
                                               void *userdata, GError **error)
{
    ViommuMetricsSocket *socket;

    /* systemd passes sockets that would block, when a client that was announced has gone. */
    if (!g_unix_set_fd_nonblocking(listener, TRUE, error)) {
        close(listener);
        return NULL;
    }
    socket = g_new0(ViommuMetricsSocket, 1);
    socket->event = viommu_loop_event(loop);
    socket->connections = g_ptr_array_new_with_free_func(free_connection);
    socket->func = func;
    socket->userdata = userdata;
    socket->listener = viommu_listener_new(loop, listener, VIOMMU_METRICS_CONNECTIONS,
                                           "for readers of metrics", take_next, socket, error);
    if (!socket->listener)
        g_clear_pointer(&socket, viommu_metrics_socket_free);
    return socket;
}

void viommu_metrics_socket_free(ViommuMetricsSocket *socket)
{
    if (!socket)
        return;
    viommu_listener_free(socket->listener);
    g_ptr_array_unref(socket->connections);
    g_free(socket->text);
    g_free(socket);
}
