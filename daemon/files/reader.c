/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader: starts viommud-files, sends requests to its children, and counts those that do not
 * end. */
#include "daemon/files/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "daemon/files/reader-words.h"
#include "daemon/files/wire.h"
#include "lib/base/error.h"

#define PROGRAM "viommud-files"

/* The most files that an error names. */
#define NAMED_MAX 3u

struct ViommuReaders {
    ViommuLoop *loop;
    uint32_t timeout_sec;
    int program;     /* O_PATH: the program of this build, also after an upgrade */
    int control;     /* to viommud-files; -1: it must be started */
    pid_t process;   /* viommud-files */
    GPtrArray *hung; /* of Hung */
};

struct ViommuReader {
    ViommuReaders *readers;
    const ViommuFilesSite *site;
    ViommuRequest *request;
    uint32_t uid;
    char *uuid;
    int socket; /* -1: there is no child: no files, or they are on another host */
    int handle; /* pidfd of its process; -1: not known yet */
    bool asked; /* the child is working: to end it, kill it */
    ViommuReaderOpened opened;
};

/* A killed process that has not ended yet. */
typedef struct Hung {
    ViommuReaders *readers;
    uint32_t uid;
    int handle;
    gint64 since_usec;
    sd_event_source *end;
} Hung;

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static bool fail(GError **error, int code, const char *what)
{
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot %s: %s", what, g_strerror(code));
}

/* --- viommud-files --- */

static int open_program(GError **error)
{
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *directory = g_path_get_dirname(self ? self : "/");
    g_autofree char *beside = g_build_filename(directory, PROGRAM, NULL);
    int fd = open(beside, O_PATH | O_CLOEXEC);

    if (fd < 0)
        fd = open(VIOMMU_LIBEXEC_DIR "/" PROGRAM, O_PATH | O_CLOEXEC);
    if (fd < 0)
        viommu_fail(error, VIOMMU_ERROR_INTERNAL,
                    "cannot find the program '%s' in '%s' or '%s': %s; install viommud again", PROGRAM,
                    directory, VIOMMU_LIBEXEC_DIR, g_strerror(errno));
    return fd;
}

/* With all signals reset, as at the start of a program. */
static int spawn(ViommuReaders *readers, int socket)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fd/%d", readers->program);
    char *const arguments[] = {(char *)PROGRAM, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    int r;

    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, socket, STDIN_FILENO);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    r = posix_spawn(&readers->process, path, &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return r;
}

static bool start(ViommuReaders *readers, GError **error)
{
    int fds[2], r;

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
        return fail(error, errno, "make a socket for " PROGRAM);
    r = spawn(readers, fds[1]);
    close(fds[1]);
    if (r != 0) {
        close(fds[0]);
        return fail(error, r, "start " PROGRAM);
    }
    readers->control = fds[0];
    return true;
}

bool viommu_readers_new(ViommuLoop *loop, uint32_t timeout_sec, ViommuReaders **ret_readers, GError **error)
{
    g_autofree ViommuReaders *readers = g_new0(ViommuReaders, 1);

    readers->loop = loop;
    readers->timeout_sec = timeout_sec;
    readers->control = -1;
    readers->program = open_program(error);
    if (readers->program < 0)
        return false;
    if (!start(readers, error)) {
        close(readers->program);
        return false;
    }
    readers->hung = g_ptr_array_new();
    *ret_readers = g_steal_pointer(&readers);
    return true;
}

/* It ends at once when the socket closes, so this waits for no file. */
static void stop(ViommuReaders *readers)
{
    if (readers->control < 0)
        return;
    close_fd(&readers->control);
    while (waitpid(readers->process, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void free_hung(Hung *hung)
{
    sd_event_source_disable_unref(hung->end);
    close_fd(&hung->handle);
    g_free(hung);
}

void viommu_readers_free(ViommuReaders *readers)
{
    if (!readers)
        return;
    stop(readers);
    for (guint i = 0; i < readers->hung->len; i++)
        free_hung(g_ptr_array_index(readers->hung, i));
    g_ptr_array_unref(readers->hung);
    close(readers->program);
    g_free(readers);
}

static bool send_socket(ViommuReaders *readers, int socket)
{
    char byte = 0;
    struct iovec piece = {&byte, 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control = {{0}};
    struct msghdr header = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    struct cmsghdr *part = CMSG_FIRSTHDR(&header);

    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(part), &socket, sizeof(int));
    return sendmsg(readers->control, &header, MSG_NOSIGNAL | MSG_DONTWAIT) == 1;
}

/* It may have been killed, for example for lack of memory. */
static bool send_patiently(ViommuReaders *readers, int socket, GError **error)
{
    if (readers->control >= 0 && send_socket(readers, socket))
        return true;
    if (readers->control >= 0 && errno == EAGAIN)
        return viommu_fail(error, VIOMMU_ERROR_BUSY, "too many launches begin at the same time; try again");
    stop(readers);
    return start(readers, error) && (send_socket(readers, socket) || fail(error, errno, "reach " PROGRAM));
}

/* --- Processes that do not end --- */

static bool has_ended(int handle)
{
    struct pollfd ended = {.fd = handle, .events = POLLIN};

    return poll(&ended, 1, 0) != 0;
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Hung *hung = userdata;
    const double seconds = (double)(g_get_monotonic_time() - hung->since_usec) / G_USEC_PER_SEC;
    g_autofree char *uid = g_strdup_printf("%u", hung->uid);
    const ViommuLogFields fields = {.owner_uid = uid};

    if (seconds >= 1 && viommu_journal_may_tell(hung->uid))
        viommu_log(LOG_NOTICE, &fields,
                   "A process that hung on files of user %s ended %.0f s after it was killed", uid, seconds);
    g_ptr_array_remove_fast(hung->readers->hung, hung);
    free_hung(hung);
    return 0;
}

static void watch_end(ViommuReader *reader)
{
    Hung *hung;

    if (has_ended(reader->handle))
        return;
    hung = g_new0(Hung, 1);
    *hung = (Hung){reader->readers, reader->uid, reader->handle, g_get_monotonic_time(), NULL};
    reader->handle = -1;
    if (sd_event_add_io(viommu_loop_event(hung->readers->loop), &hung->end, hung->handle, EPOLLIN, on_end,
                        hung) < 0)
        free_hung(hung);
    else
        g_ptr_array_add(hung->readers->hung, hung);
}

unsigned viommu_readers_hung(const ViommuReaders *readers, uint32_t uid)
{
    unsigned n = 0;

    for (guint i = 0; i < readers->hung->len; i++)
        n += ((const Hung *)g_ptr_array_index(readers->hung, i))->uid == uid;
    return n;
}

/* --- One launch --- */

static bool has_files(const ViommuRequest *request)
{
    return request->boot.kernel.path || request->boot.initrd.path ||
           (request->disks && request->disks->len > 0);
}

static bool begin(ViommuReader *reader, GError **error)
{
    int fds[2];
    bool sent;

    if (viommu_readers_hung(reader->readers, reader->uid) >= VIOMMU_READERS_HUNG_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "%u processes of viommud hang on files of user %u, whose file systems do not respond; launch again when these file systems work or are unmounted",
            VIOMMU_READERS_HUNG_MAX, reader->uid);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return fail(error, errno, "make a socket for a launch");
    sent = send_patiently(reader->readers, fds[1], error);
    close(fds[1]);
    if (sent)
        reader->socket = fds[0];
    else
        close(fds[0]);
    return sent;
}

bool viommu_reader_new(ViommuReaders *readers, const ViommuFilesSite *site, ViommuRequest *request,
                       uint32_t uid, const char *uuid, ViommuReader **ret_reader, GError **error)
{
    ViommuReader *reader = g_new0(ViommuReader, 1);

    *reader = (ViommuReader){.readers = readers,
                             .site = site,
                             .request = request,
                             .uid = uid,
                             .uuid = g_strdup(uuid),
                             .socket = -1,
                             .handle = -1};
    if (!site->skip && has_files(request) && !begin(reader, error)) {
        viommu_reader_free(reader);
        return false;
    }
    *ret_reader = reader;
    return true;
}

static void kill_process(const ViommuReader *reader)
{
    if (reader->handle >= 0)
        (void)syscall(SYS_pidfd_send_signal, reader->handle, SIGKILL, NULL, 0);
}

void viommu_reader_free(ViommuReader *reader)
{
    if (!reader)
        return;
    if (reader->asked)
        kill_process(reader);
    close_fd(&reader->socket);
    if (reader->handle >= 0 && reader->asked)
        watch_end(reader);
    close_fd(&reader->handle);
    viommu_reader_opened_clear(&reader->opened);
    g_free(reader->uuid);
    g_free(reader);
}

static void add_name(GString *names, unsigned *n, const char *key, const ViommuFile *file)
{
    if (!file->path)
        return;
    if (*n < NAMED_MAX)
        g_string_append_printf(names, "%s%s '%s'", *n > 0 ? ", " : "", key, file->path);
    else if (*n == NAMED_MAX)
        g_string_append(names, " and others");
    (*n)++;
}

/* The files that were waited for. */
static char *name_files(const ViommuRequest *request)
{
    GString *names = g_string_new(NULL);
    unsigned n = 0;

    add_name(names, &n, "boot.kernel", &request->boot.kernel);
    add_name(names, &n, "boot.initrd", &request->boot.initrd);
    for (guint i = 0; request->disks && i < request->disks->len; i++) {
        g_autofree char *key = g_strdup_printf("disks[%u].path", i);

        add_name(names, &n, key, &((const ViommuRequestDisk *)g_ptr_array_index(request->disks, i))->file);
    }
    return g_string_free(names, FALSE);
}

/* Explains what happened to the process, for the error of the launch. */
static bool explain(ViommuReader *reader, const char *what, const GError *cause, GError **error)
{
    g_autofree char *names = name_files(reader->request);

    if (g_error_matches(cause, VIOMMU_ERROR, VIOMMU_ERROR_BUSY))
        viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "viommud had not %s the files of this request after %u s: %s; use files on a file system that responds, or raise [files] timeout",
            what, reader->readers->timeout_sec, names);
    else
        viommu_fail(error, VIOMMU_ERROR_INTERNAL,
                    "viommud's process for files failed (%s) before it had %s: %s", cause->message, what,
                    names);
    kill_process(reader);
    return false;
}

static gint64 deadline(const ViommuReader *reader)
{
    return g_get_monotonic_time() + reader->readers->timeout_sec * G_TIME_SPAN_SECOND;
}

/* Reads its first message, with the pidfd. */
static bool meet(ViommuReader *reader, gint64 end, GError **error)
{
    g_autoptr(GArray) fds = viommu_held_array_new();
    g_autoptr(GVariant) hello =
        viommu_wire_receive(reader->socket, VIOMMU_READER_ANSWER_TYPE, fds, end, error);

    if (!hello)
        return false;
    if (fds->len != 1)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "it does not identify itself");
    reader->handle = g_array_index(fds, int, 0);
    g_array_index(fds, int, 0) = -1;
    return true;
}

static GVariant *ask(ViommuReader *reader, GArray *fds, gint64 end, GError **error)
{
    GVariant *question = viommu_reader_question_to_variant(reader->site, reader->request, reader->uid,
                                                           reader->uuid, reader->readers->timeout_sec);

    if (!viommu_wire_send(reader->socket, question, reader->request->fds, end, error))
        return NULL;
    if (reader->request->fds)
        g_array_set_size(reader->request->fds, 0);
    return viommu_wire_receive(reader->socket, VIOMMU_READER_ANSWER_TYPE, fds, end, error);
}

static bool take_opened(ViommuReader *reader, GVariant *answer, GArray *fds, GError **error)
{
    guint n_disks = reader->request->disks ? reader->request->disks->len : 0;
    g_autoptr(GVariant) result = NULL;

    if (!viommu_reader_answer_read(answer, VIOMMU_READER_OPENED_TYPE, &result, error))
        return false;
    if (viommu_reader_opened_read(result, n_disks, fds, &reader->opened))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "viommud's process for files sent an invalid reply");
}

bool viommu_reader_open(ViommuReader *reader, GError **error)
{
    g_autoptr(GArray) fds = viommu_held_array_new();
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GError) cause = NULL;
    gint64 end = deadline(reader);

    if (reader->socket < 0)
        return true;
    reader->asked = true;
    answer = meet(reader, end, &cause) ? ask(reader, fds, end, &cause) : NULL;
    viommu_held_add_all(fds, reader->uid);
    if (!answer)
        return explain(reader, "opened and read", cause, error);
    reader->asked = false;
    return take_opened(reader, answer, fds, error);
}

const ViommuHandovers *viommu_reader_handovers(const ViommuReader *reader)
{
    return reader->opened.handovers;
}

const ViommuKernel *viommu_reader_kernel(const ViommuReader *reader)
{
    return reader->opened.kernel_is_known ? &reader->opened.kernel : NULL;
}

uint64_t viommu_reader_copied_bytes(const ViommuReader *reader)
{
    return reader->opened.copied_bytes;
}

static void add_open_files(const ViommuReader *reader, guint i, const ViommuPlanDisk *disk, GArray *open)
{
    const GArray *fds = reader->opened.backing ? g_ptr_array_index(reader->opened.backing, i) : NULL;

    if (disk->is_open) {
        const ViommuBackendFile file = {disk->target, g_array_index(reader->opened.disks, int, i)};
        g_array_append_val(open, file);
    }
    for (guint j = 0; disk->backing && j < disk->backing->len; j++) {
        const ViommuPlanBacking *backing = g_ptr_array_index(disk->backing, j);
        const ViommuBackendFile file = {backing->group, g_array_index(fds, int, j)};

        if (backing->is_open)
            g_array_append_val(open, file);
    }
}

GArray *viommu_reader_open_files(const ViommuReader *reader, const ViommuPlan *plan)
{
    GArray *open = g_array_new(FALSE, FALSE, sizeof(ViommuBackendFile));

    for (guint i = 0; reader->opened.disks && i < plan->disks->len; i++)
        add_open_files(reader, i, g_ptr_array_index(plan->disks, i), open);
    return open;
}

void viommu_reader_release(ViommuReader *reader)
{
    g_clear_pointer(&reader->opened.disks, g_array_unref);
    g_clear_pointer(&reader->opened.backing, g_ptr_array_unref);
}

bool viommu_reader_copy(ViommuReader *reader, uint64_t group, GError **error)
{
    g_autoptr(GVariant) answer = NULL;
    g_autoptr(GError) cause = NULL;
    gint64 end = deadline(reader);

    if (reader->socket < 0)
        return true;
    reader->asked = true;
    if (viommu_wire_send(reader->socket, g_variant_new_uint64(group), NULL, end, &cause))
        answer = viommu_wire_receive(reader->socket, VIOMMU_READER_ANSWER_TYPE, NULL, end, &cause);
    if (!answer)
        return explain(reader, "copied", cause, error);
    reader->asked = false;
    return viommu_reader_answer_read(answer, NULL, NULL, error);
}
