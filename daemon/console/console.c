/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: takes pieces of output, and passes each to all clients.  Does not know the clients. */
#include "daemon/console/console.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>
#include "daemon/console/console-log.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/printable.h"
#include "lib/base/error.h"
#include "lib/guest/report-scan.h"

#define TAIL_BYTES    4096
#define ATTACHED_MAX  4
#define INPUT_BYTES   1024
#define LISTENS_AGAIN "\n[viommud: the console was not read for a while; output of that time is lost]\n"

typedef struct Client {
    ViommuConsole *console;
    int fd;
    sd_event_source *source;
} Client;

struct ViommuConsole {
    ViommuConsoleContext context;
    char uuid[37];
    char *log;
    bool log_failed; /* and a warning was logged */
    bool open;
    char *refusal; /* why it could not be opened, as it was logged; NULL: it is open */
    bool sending;
    GByteArray *tail;             /* NULL: no output yet */
    ViommuReportCatcher *reports; /* NULL: no output yet */
    GPtrArray *clients;           /* of Client; NULL: no client was ever attached */
};

static void free_client(void *data)
{
    Client *client = data;

    sd_event_source_disable_unref(client->source);
    close(client->fd);
    g_free(client);
}

ViommuConsole *viommu_console_new(const ViommuConsoleContext *context, const char *uuid, const char *log)
{
    ViommuConsole *console = g_new0(ViommuConsole, 1);

    console->context = *context;
    g_strlcpy(console->uuid, uuid, sizeof(console->uuid));
    console->log = g_strdup(log);
    return console;
}

void viommu_console_free(ViommuConsole *console)
{
    if (!console)
        return;
    viommu_console_end(console);
    g_clear_pointer(&console->tail, g_byte_array_unref);
    viommu_report_catcher_free(console->reports);
    g_free(console->refusal);
    g_free(console->log);
    g_free(console);
}

void viommu_console_end(ViommuConsole *console)
{
    g_clear_pointer(&console->clients, g_ptr_array_unref);
}

bool viommu_console_is_open(const ViommuConsole *console)
{
    return console->open;
}

const char *viommu_console_problem(const ViommuConsole *console)
{
    if (console->open)
        return "";
    return console->refusal ? console->refusal : "viommud has not opened it yet";
}

unsigned viommu_console_n_attached(const ViommuConsole *console)
{
    return console->clients ? console->clients->len : 0;
}

char *viommu_console_tail(const ViommuConsole *console)
{
    return console->tail ? viommu_console_text_tail(console->tail->data, console->tail->len) : NULL;
}

ViommuReport *viommu_console_report(const ViommuConsole *console)
{
    size_t size;
    const char *text = console->reports ? viommu_report_catcher_last(console->reports, &size) : NULL;

    return text ? viommu_report_find(text, size) : NULL;
}

bool viommu_console_is_reporting(const ViommuConsole *console)
{
    return console->reports && viommu_report_catcher_is_inside(console->reports);
}

/* --- Output --- */

static void keep_tail(ViommuConsole *console, const guint8 *data, guint size)
{
    guint skip = size > TAIL_BYTES ? size - TAIL_BYTES : 0, too_many;

    if (!console->tail)
        console->tail = g_byte_array_new();
    data += skip;
    size -= skip;
    too_many = console->tail->len + size > TAIL_BYTES ? console->tail->len + size - TAIL_BYTES : 0;
    g_byte_array_remove_range(console->tail, 0, too_many);
    g_byte_array_append(console->tail, data, size);
}

/* When the disk is full, attached clients still get the output, and the tail is still kept. */
static void write_log(ViommuConsole *console, const void *data, size_t size)
{
    ViommuLogFields fields = {.machine_uuid = console->uuid};
    g_autoptr(GError) error = NULL;
    bool ok;

    if (!console->log)
        return;
    ok = viommu_console_log_append(console->log, console->context.log_bytes, data, size, &error);
    if (!ok && !console->log_failed && viommu_journal_may_tell(UINT32_MAX))
        viommu_log_error(LOG_WARNING, &fields, error, "a machine's console");
    console->log_failed = !ok;
}

static bool send_to(const Client *client, const void *data, size_t size)
{
    return send(client->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)size;
}

/* All output of the guest passes here. */
static void put_out(ViommuConsole *console, const void *data, guint size)
{
    if (size == 0)
        return;
    write_log(console, data, size);
    keep_tail(console, data, size);
    if (!console->reports)
        console->reports = viommu_report_catcher_new();
    viommu_report_catcher_feed(console->reports, data, size);
    for (guint i = viommu_console_n_attached(console); i > 0; i--)
        if (!send_to(g_ptr_array_index(console->clients, i - 1), data, size))
            g_ptr_array_remove_index(console->clients, i - 1);
}

/* An existing log means that an earlier viommud, or this one, has read this console before. */
static void take_opened(ViommuConsole *console)
{
    bool again = console->tail || (console->log && access(console->log, F_OK) == 0);

    console->open = true;
    g_clear_pointer(&console->refusal, g_free);
    if (again)
        put_out(console, LISTENS_AGAIN, sizeof(LISTENS_AGAIN) - 1);
    else
        write_log(console, "", 0); /* a guest without output has a log, too */
}

static void take_ended(ViommuConsole *console, const char *error)
{
    ViommuLogFields fields = {.machine_uuid = console->uuid};

    if (!console->open && error) {
        if (!console->refusal && viommu_journal_may_tell(UINT32_MAX))
            viommu_log(LOG_WARNING, &fields, "Cannot read a machine's console, trying again: %s", error);
        g_free(console->refusal);
        console->refusal = g_strdup(error);
    }
    console->open = false;
    console->sending = false;
}

static void listen_to_clients(ViommuConsole *console, bool listen)
{
    for (guint i = 0; i < viommu_console_n_attached(console); i++) {
        const Client *client = g_ptr_array_index(console->clients, i);
        sd_event_source_set_enabled(client->source, listen ? SD_EVENT_ON : SD_EVENT_OFF);
    }
}

void viommu_console_take(ViommuConsole *console)
{
    g_autoptr(ViommuConsoleNews) news = viommu_backend_take_console(console->context.backend, console->uuid);

    if (!news)
        return;
    if (news->opened)
        take_opened(console);
    put_out(console, news->output->data, news->output->len);
    if (news->lost > 0) {
        g_autofree char *text = g_strdup_printf(
            "\n[viommud: %" G_GUINT64_FORMAT " bytes arrived too fast and are lost]\n", news->lost);
        put_out(console, text, (guint)strlen(text));
    }
    if (news->ended)
        take_ended(console, news->error);
    if (news->sent || news->ended) {
        console->sending = false;
        listen_to_clients(console, true);
    }
}

/* --- Input --- */

static void drop_client(Client *client)
{
    g_ptr_array_remove(client->console->clients, client);
}

/* One piece at a time: until it is sent, the loop does not listen to any client. */
static void take_input(ViommuConsole *console, const char *data, size_t size)
{
    if (!console->open)
        return;
    console->sending = true;
    listen_to_clients(console, false);
    viommu_backend_send_console(console->context.backend, console->uuid, g_bytes_new(data, size));
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
    Client *client = userdata;
    char data[INPUT_BYTES];
    ssize_t n = revents & EPOLLIN ? recv(fd, data, sizeof(data), MSG_DONTWAIT) : 0;

    if (n > 0)
        take_input(client->console, data, (size_t)n);
    else if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    else if (n < 0 || revents & (EPOLLHUP | EPOLLERR))
        drop_client(client);
    else
        /* The client will send nothing more, but may still read. */
        sd_event_source_set_io_events(source, 0);
    return 0;
}

bool viommu_console_attach(ViommuConsole *console, int *ret_fd, GError **error)
{
    Client *client;
    int fds[2], r;

    if (viommu_console_n_attached(console) >= ATTACHED_MAX)
        return viommu_fail(error, VIOMMU_ERROR_BUSY,
                           "this console already has %u connections, the maximum; close one of them",
                           ATTACHED_MAX);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot create a socket: %s", g_strerror(errno));
    client = g_new0(Client, 1);
    *client = (Client){.console = console, .fd = fds[0]};
    r = sd_event_add_io(viommu_loop_event(console->context.loop), &client->source, fds[0], EPOLLIN, on_client,
                        client);
    if (r < 0) {
        viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot watch a socket: %s", g_strerror(-r));
        free_client(client);
        close(fds[1]);
        return false;
    }
    if (!console->clients)
        console->clients = g_ptr_array_new_with_free_func(free_client);
    g_ptr_array_add(console->clients, client);
    if (console->tail)
        send_to(client, console->tail->data, console->tail->len);
    if (console->sending)
        sd_event_source_set_enabled(client->source, SD_EVENT_OFF);
    *ret_fd = fds[1];
    return true;
}
