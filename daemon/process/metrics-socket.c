/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/metrics-socket.h"

#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/error.h"

/* After each round of connections there is a rest, so that clients that connect without end cost
 * little. */
#define REST_USEC (50 * G_TIME_SPAN_MILLISECOND)

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
    int fd;
    sd_event_source *listener, *rest;
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

static bool take_next(ViommuMetricsSocket *socket)
{
    int fd = accept4(socket->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
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

static int on_connection(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    ViommuMetricsSocket *socket = userdata;

    for (unsigned i = 0; i < VIOMMU_METRICS_CONNECTIONS && take_next(socket); i++)
        ;
    (void)sd_event_source_set_enabled(socket->listener, SD_EVENT_OFF);
    (void)sd_event_source_set_time_relative(socket->rest, REST_USEC);
    (void)sd_event_source_set_enabled(socket->rest, SD_EVENT_ONESHOT);
    return 0;
}

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuMetricsSocket *socket = userdata;

    return sd_event_source_set_enabled(socket->listener, SD_EVENT_ON);
}

ViommuMetricsSocket *viommu_metrics_socket_new(ViommuLoop *loop, int listener, ViommuMetricsFunc func,
                                               void *userdata, GError **error)
{
    ViommuMetricsSocket *socket = g_new0(ViommuMetricsSocket, 1);
    int r;

    socket->event = viommu_loop_event(loop);
    socket->fd = listener;
    socket->connections = g_ptr_array_new_with_free_func(free_connection);
    socket->func = func;
    socket->userdata = userdata;
    /* systemd passes sockets that would block, when a client that was announced has gone. */
    r = g_unix_set_fd_nonblocking(listener, TRUE, error) ? 0 : -EINVAL;
    if (r < 0) {
        viommu_metrics_socket_free(socket);
        return NULL;
    }
    r = sd_event_add_io(socket->event, &socket->listener, listener, EPOLLIN, on_connection, socket);
    if (r >= 0)
        r = sd_event_add_time_relative(socket->event, &socket->rest, CLOCK_MONOTONIC, REST_USEC, 0, on_rested,
                                       socket);
    if (r >= 0)
        return socket;
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot listen for readers of metrics: %s", g_strerror(-r));
    viommu_metrics_socket_free(socket);
    return NULL;
}

void viommu_metrics_socket_free(ViommuMetricsSocket *socket)
{
    if (!socket)
        return;
    sd_event_source_disable_unref(socket->listener);
    sd_event_source_disable_unref(socket->rest);
    g_ptr_array_unref(socket->connections);
    close(socket->fd);
    g_free(socket->text);
    g_free(socket);
}
