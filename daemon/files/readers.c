/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* readers: starts viommud-files, sends it the sockets of launches, and counts those of its children
 * that do not end. */
#include "daemon/files/reader-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"

#define PROGRAM "viommud-files"

/* A killed process that has not ended yet. */
typedef struct Hung {
    ViommuReaders *readers;
    uint32_t uid;
    int handle;
    gint64 since_usec;
    sd_event_source *end;
} Hung;

void viommu_readers_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

bool viommu_readers_fail(GError **error, int code, const char *what)
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
        return viommu_readers_fail(error, errno, "make a socket for " PROGRAM);
    r = spawn(readers, fds[1]);
    close(fds[1]);
    if (r != 0) {
        close(fds[0]);
        return viommu_readers_fail(error, r, "start " PROGRAM);
    }
    readers->control = fds[0];
    return true;
}

bool viommu_readers_new(ViommuLoop *loop, uint32_t timeout_sec, uint32_t digest_timeout_sec,
                        ViommuReaders **ret_readers, GError **error)
{
    g_autofree ViommuReaders *readers = g_new0(ViommuReaders, 1);

    readers->loop = loop;
    readers->timeout_sec = timeout_sec;
    readers->digest_timeout_sec = digest_timeout_sec;
    readers->control = -1;
    readers->program = open_program(error);
    if (readers->program < 0)
        return false;
    if (!start(readers, error)) {
        close(readers->program);
        return false;
    }
    readers->hung = g_ptr_array_new();
    readers->digests = viommu_digests_new();
    *ret_readers = g_steal_pointer(&readers);
    return true;
}

/* It ends at once when the socket closes, so this waits for no file. */
static void stop(ViommuReaders *readers)
{
    if (readers->control < 0)
        return;
    viommu_readers_close(&readers->control);
    while (waitpid(readers->process, NULL, 0) < 0 && errno == EINTR)
        ;
}

static void free_hung(Hung *hung)
{
    sd_event_source_disable_unref(hung->end);
    viommu_readers_close(&hung->handle);
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
    viommu_digests_free(readers->digests);
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
bool viommu_readers_send(ViommuReaders *readers, int socket, GError **error)
{
    if (readers->control >= 0 && send_socket(readers, socket))
        return true;
    if (readers->control >= 0 && errno == EAGAIN)
        return viommu_fail(error, VIOMMU_ERROR_BUSY, "too many launches begin at the same time; try again");
    stop(readers);
    return start(readers, error) &&
           (send_socket(readers, socket) || viommu_readers_fail(error, errno, "reach " PROGRAM));
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

void viommu_readers_watch_end(ViommuReaders *readers, uint32_t uid, int handle)
{
    Hung *hung;

    if (has_ended(handle)) {
        close(handle);
        return;
    }
    hung = g_new0(Hung, 1);
    *hung = (Hung){readers, uid, handle, g_get_monotonic_time(), NULL};
    if (sd_event_add_io(viommu_loop_event(readers->loop), &hung->end, handle, EPOLLIN, on_end, hung) < 0)
        free_hung(hung);
    else
        g_ptr_array_add(readers->hung, hung);
}

unsigned viommu_readers_hung(const ViommuReaders *readers, uint32_t uid)
{
    unsigned n = 0;

    for (guint i = 0; i < readers->hung->len; i++)
        n += ((const Hung *)g_ptr_array_index(readers->hung, i))->uid == uid;
    return n;
}
