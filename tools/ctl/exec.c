/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl exec: runs a command in a guest through its agent.  viommud gets pipes and
 * ends of socketpair(2) as they are; a thread copies between a pipe and what else this process has,
 * such as a terminal or another socket. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "daemon/process/relay.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/base/printable.h"
#include "tools/client/error.h"
#include "tools/client/polkit-agent.h"
#include "tools/ctl/machine.h"

/* The command may take as long as the machine lives. */
#define NO_TIMEOUT_USEC (3650 * G_TIME_SPAN_DAY)
#define PIECE           16384

typedef struct Copy {
    int from, to;
    bool cleans; /* for a terminal, which a guest's output must not steer */
} Copy;

/* What viommud gets, and what copies for it. */
typedef struct Streams {
    int given[VIOMMU_RELAY_STREAMS];
    GThread *threads[VIOMMU_RELAY_STREAMS]; /* NULL: viommud has this process's own descriptor */
} Streams;

static bool write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = write(fd, data, size);

        if (n < 0 && errno != EINTR)
            return false;
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool write_clean(int fd, const char *data, size_t size)
{
    g_autofree char *text = viommu_console_text_clean_bytes(data, size);

    return write_all(fd, text, strlen(text));
}

/* Returns the number of the error with which a write failed.  Closes the pipe's end, so that
 * viommud sees the end of the input, or that nobody reads. */
static void *run_copy(void *data)
{
    g_autofree Copy *copy = data;
    char piece[PIECE];
    int number = 0;
    ssize_t n;

    while ((n = read(copy->from, piece, sizeof(piece))) != 0) {
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break;
        if (!(copy->cleans ? write_clean : write_all)(copy->to, piece, (size_t)n)) {
            number = errno;
            break;
        }
    }
    close(copy->from == STDIN_FILENO ? copy->to : copy->from);
    return GINT_TO_POINTER(number);
}

static bool open_stream(Streams *streams, int fd, GError **error)
{
    bool reads = fd == STDIN_FILENO;
    Copy *copy;
    int ends[2];

    if (viommu_relay_check(fd, "", NULL)) {
        streams->given[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        return streams->given[fd] >= 0 ||
               viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot keep a descriptor: %s", g_strerror(errno));
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot make a pipe: %s", g_strerror(errno));
    streams->given[fd] = ends[reads ? 0 : 1];
    copy = g_new(Copy, 1);
    *copy = reads ? (Copy){fd, ends[1], false} : (Copy){ends[0], fd, isatty(fd)};
    streams->threads[fd] = g_thread_new("copy", run_copy, copy);
    return true;
}

/* The error of a write of output, 0: none; EPIPE means that nobody reads.  All output is written
 * when its threads have ended.  The thread that reads the input may wait for ever, and ends with
 * the process. */
static int close_streams(Streams *streams)
{
    int number = 0;

    for (size_t i = 0; i < VIOMMU_RELAY_STREAMS; i++)
        if (streams->given[i] >= 0)
            close(streams->given[i]);
    for (size_t i = STDOUT_FILENO; i < VIOMMU_RELAY_STREAMS; i++)
        if (streams->threads[i]) {
            int failed = GPOINTER_TO_INT(g_thread_join(streams->threads[i]));

            number = failed && failed != EPIPE ? failed : number;
        }
    if (streams->threads[STDIN_FILENO])
        g_thread_unref(streams->threads[STDIN_FILENO]);
    return number;
}

static bool call(ViommuCtl *ctl, const Streams *streams, GVariant **ret_reply, GError **error)
{
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);
    g_autofree char *path = client ? viommu_ctl_find_machine(ctl, client, error) : NULL;
    g_autoptr(ViommuAgent) agent = path && viommu_ctl_may_be_asked(ctl, client) ? viommu_agent_start() : NULL;
    const ViommuClientCall call = {.path = path,
                                   .interface = VIOMMU_IFACE_MACHINE,
                                   .method = "Exec",
                                   .timeout_usec = NO_TIMEOUT_USEC,
                                   .arguments = g_variant_new("(^ashhh)", ctl->command, streams->given[0],
                                                              streams->given[1], streams->given[2])};
    g_autoptr(GVariant) arguments = g_variant_ref_sink(call.arguments);

    return path && viommu_client_call(client, &call, ret_reply, &ctl->reasons, error);
}

static bool check_words(char *const *command, GError **error)
{
    for (int i = 0; command[i]; i++)
        if (!g_utf8_validate(command[i], -1, NULL))
            return viommu_failure_set(
                error, VIOMMU_FAILURE_USAGE,
                "word %d of the command is not UTF-8, which viommud cannot pass on; send it through the command's standard input",
                i + 1);
    return true;
}

bool viommu_ctl_exec(ViommuCtl *ctl, GError **error)
{
    Streams streams = {.given = {-1, -1, -1}};
    g_autoptr(GVariant) reply = NULL;
    bool good = true;
    int number;

    if (!check_words(ctl->command, error))
        return false;
    signal(SIGPIPE, SIG_IGN);
    for (int fd = STDIN_FILENO; good && fd <= STDERR_FILENO; fd++)
        good = open_stream(&streams, fd, error);
    good = good && call(ctl, &streams, &reply, error);
    number = close_streams(&streams);
    if (good && number)
        return viommu_failure_set(error, VIOMMU_FAILURE_OUTPUT, "cannot write the command's output: %s",
                                  g_strerror(number));
    if (good && reply && g_variant_is_of_type(reply, G_VARIANT_TYPE_INT32))
        ctl->exit_status = g_variant_get_int32(reply);
    else if (good)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "Exec replied without a status");
    return good;
}
