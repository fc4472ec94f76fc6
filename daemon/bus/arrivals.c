/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* arrivals: a recvmsg(2) for sd-bus, which reads a message in several pieces; descriptors come with
 * its first byte.  A batch is what one message brought.  Its tokens are writing ends of a pipe, so
 * the reading end shows when sd-bus has closed the last one. */
#include "daemon/bus/arrivals.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "daemon/process/held-files.h"
#include "lib/base/error.h"

/* The kernel's limit for one call (SCM_MAX_FD). */
#define FILES_MAX 253u
/* The longest that the loop waits for what is dropped. */
#define LINGER_NSEC 1000000

typedef struct Batch {
    GArray *files;   /* of int, held; in the order of the tokens */
    GArray *tokens;  /* of int: their numbers; sd-bus owns the descriptors */
    GError *refusal; /* NULL: not refused */
    int end;         /* of the pipe */
    sd_event_source *gone;
} Batch;

static struct {
    int socket; /* 0: not open */
    sd_event *event;
    ViommuArrivalFuncs funcs;
    void *userdata;
    bool next_passes;
    timer_t linger;
    int blank;          /* what sd-bus gets copies of for descriptors that are dropped */
    uint64_t left;      /* bytes left of the message that is being read */
    GHashTable *tokens; /* descriptor -> Batch that used it last */
    GHashTable *batches;
} arrivals;

/* --- Batches --- */

static void free_batch(void *data)
{
    Batch *batch = data;

    for (guint i = 0; i < batch->tokens->len; i++) {
        void *token = GINT_TO_POINTER(g_array_index(batch->tokens, int, i));

        if (g_hash_table_lookup(arrivals.tokens, token) == batch)
            g_hash_table_remove(arrivals.tokens, token);
    }
    sd_event_source_disable_unref(batch->gone);
    if (batch->end >= 0)
        close(batch->end);
    g_array_unref(batch->files);
    g_array_unref(batch->tokens);
    g_clear_error(&batch->refusal);
    g_free(batch);
}

static int on_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    g_hash_table_remove(arrivals.batches, userdata);
    return 0;
}

static void close_tokens(Batch *batch)
{
    for (guint i = 0; i < batch->tokens->len; i++)
        close(g_array_index(batch->tokens, int, i));
    g_array_set_size(batch->tokens, 0);
}

/* With @n tokens; with none when they cannot be opened, and then sd-bus treats the message as
 * broken. */
static Batch *new_batch(size_t n)
{
    Batch *batch = g_new0(Batch, 1);
    int ends[2] = {-1, -1};

    batch->files = viommu_held_array_new();
    batch->tokens = g_array_new(FALSE, FALSE, sizeof(int));
    batch->end = -1;
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return batch;
    batch->end = ends[0];
    for (int token = ends[1]; token >= 0;) {
        g_array_append_val(batch->tokens, token);
        token = batch->tokens->len < n ? fcntl(ends[1], F_DUPFD_CLOEXEC, 3) : -1;
    }
    if (batch->tokens->len < n)
        close_tokens(batch);
    return batch;
}

/* False: the end of sd-bus's use could not be noticed. */
static bool keep_batch(Batch *batch)
{
    if (sd_event_add_io(arrivals.event, &batch->gone, batch->end, EPOLLHUP, on_gone, batch) < 0)
        return false;
    g_hash_table_add(arrivals.batches, batch);
    for (guint i = 0; i < batch->tokens->len; i++)
        g_hash_table_insert(arrivals.tokens, GINT_TO_POINTER(g_array_index(batch->tokens, int, i)), batch);
    return true;
}

static bool is_blank(int fd)
{
    struct stat blank, info;

    return fstat(arrivals.blank, &blank) == 0 && fstat(fd, &info) == 0 && blank.st_dev == info.st_dev &&
           blank.st_ino == info.st_ino;
}

int viommu_arrivals_find(int fd, GError **error)
{
    const Batch *batch = arrivals.tokens ? g_hash_table_lookup(arrivals.tokens, GINT_TO_POINTER(fd)) : NULL;

    if (!batch && !(arrivals.tokens && is_blank(fd)))
        return fd;
    if (batch && batch->refusal) {
        g_propagate_error(error, g_error_copy(batch->refusal));
        return -1;
    }
    for (guint i = 0; batch && i < batch->tokens->len && i < batch->files->len; i++)
        if (g_array_index(batch->tokens, int, i) == fd)
            return g_array_index(batch->files, int, i);
    viommu_fail(error, VIOMMU_ERROR_BUSY,
                "viommud cannot keep the file descriptor, because too many files are open; try again later");
    return -1;
}

/* --- Receiving --- */

static ssize_t receive(int socket, struct msghdr *message, int flags)
{
    return syscall(SYS_recvmsg, socket, message, flags);
}

/* The bytes that @message has room for. */
static size_t room_of(const struct msghdr *message)
{
    size_t n =
        message->msg_controllen < CMSG_LEN(0) ? 0 : (message->msg_controllen - CMSG_LEN(0)) / sizeof(int);

    return MIN(n, FILES_MAX);
}

static void take_files(struct msghdr *message, GArray *files)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part))
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS)
            g_array_append_vals(files, CMSG_DATA(part),
                                (guint)((part->cmsg_len - CMSG_LEN(0)) / sizeof(int)));
}

static void put_tokens(struct msghdr *message, void *control, const GArray *tokens)
{
    struct cmsghdr *part = control;

    message->msg_flags &= ~MSG_CTRUNC;
    message->msg_control = control;
    message->msg_controllen = tokens->len > 0 ? CMSG_SPACE(sizeof(int) * tokens->len) : 0;
    if (tokens->len == 0)
        return;
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * tokens->len);
    memcpy(CMSG_DATA(part), tokens->data, sizeof(int) * tokens->len);
}

/* Without room for descriptors the kernel drops them, without closing them in this process. */
static ssize_t receive_bytes(struct msghdr *message, int flags)
{
    void *control = message->msg_control;
    ssize_t n;

    message->msg_control = NULL;
    message->msg_controllen = 0;
    n = receive(arrivals.socket, message, flags);
    message->msg_control = control;
    message->msg_controllen = 0;
    message->msg_flags &= ~MSG_CTRUNC;
    return n;
}

/* Their files are let go here.  That of a TCP socket with SO_LINGER waits until the other end has
 * read all bytes, but no longer than until the next signal. */
static ssize_t receive_without_files(struct msghdr *message, int flags)
{
    static const struct itimerspec soon = {{0, LINGER_NSEC}, {0, LINGER_NSEC}}, never = {{0, 0}, {0, 0}};
    ssize_t n;

    timer_settime(arrivals.linger, 0, &soon, NULL);
    n = receive_bytes(message, flags);
    timer_settime(arrivals.linger, 0, &never, NULL);
    return n;
}

/* Any user can send such messages all the time, so they cost little: nobody asks for these
 * tokens. */
static ssize_t receive_dropped(struct msghdr *message, int flags, size_t n_files)
{
    void *control = message->msg_control;
    g_autoptr(GArray) tokens = g_array_sized_new(FALSE, FALSE, sizeof(int), (guint)n_files);
    ssize_t n = receive_without_files(message, flags);

    while (n > 0 && tokens->len < n_files) {
        int token = fcntl(arrivals.blank, F_DUPFD_CLOEXEC, 3);

        if (token < 0)
            break;
        g_array_append_val(tokens, token);
    }
    if (n > 0)
        put_tokens(message, control, tokens);
    return n;
}

static ssize_t receive_files(struct msghdr *message, int flags, const ViommuMessageHeader *header)
{
    void *control = message->msg_control;
    size_t n_files = MIN(header->n_fds, room_of(message));
    g_autoptr(GError) refusal = NULL;
    uint32_t uid = 0;
    ViommuArrival verdict = arrivals.funcs.judge(header, arrivals.userdata, &uid, &refusal);
    Batch *batch;
    ssize_t n;

    if (verdict == VIOMMU_ARRIVAL_DROP)
        return receive_dropped(message, flags, n_files);
    batch = new_batch(n_files);
    batch->refusal = g_steal_pointer(&refusal);
    if (batch->tokens->len > 0 && verdict == VIOMMU_ARRIVAL_TAKE) {
        n = receive(arrivals.socket, message, flags);
        if (n > 0)
            take_files(message, batch->files);
        viommu_held_add_all(batch->files, uid);
    } else {
        n = receive_without_files(message, flags);
    }
    if (n > 0)
        put_tokens(message, control, batch->tokens);
    else
        close_tokens(batch);
    if (batch->tokens->len == 0 || !keep_batch(batch))
        free_batch(batch);
    return n;
}

static bool may_pass(const ViommuMessageHeader *header)
{
    return !header->is_call || !header->sender || arrivals.next_passes ||
           arrivals.funcs.knows(header, arrivals.userdata);
}

/* At the beginning of a message, or before there are any. */
static ssize_t receive_first(struct msghdr *message, int flags)
{
    uint8_t bytes[VIOMMU_MESSAGE_HEADER_MAX];
    ViommuMessageHeader header;
    ssize_t n = recv(arrivals.socket, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);

    if (n <= 0 || (bytes[0] != 'l' && bytes[0] != 'B'))
        return receive_bytes(message, flags);
    if (!viommu_message_header_read(bytes, (size_t)n, &header) || !may_pass(&header)) {
        errno = EAGAIN;
        return -1;
    }
    n = header.n_fds > 0 && room_of(message) > 0 ? receive_files(message, flags, &header)
                                                 : receive_bytes(message, flags);
    if (n > 0) {
        arrivals.next_passes = false;
        arrivals.left = header.bytes - MIN(header.bytes, (uint64_t)n);
    }
    return n;
}

/* Replaces the C library's function, for sd-bus too. */
__attribute__((visibility("default"))) ssize_t recvmsg(int socket, struct msghdr *message, int flags)
{
    ssize_t n;

    if (arrivals.socket == 0 || socket != arrivals.socket)
        return receive(socket, message, flags);
    if (arrivals.left == 0)
        return receive_first(message, flags);
    n = receive_bytes(message, flags);
    if (n > 0)
        arrivals.left -= MIN(arrivals.left, (uint64_t)n);
    return n;
}

static void do_nothing(int signal)
{
}

/* A signal for this thread, which does nothing but end a wait. */
static bool make_timer(void)
{
    const struct sigaction action = {.sa_handler = do_nothing};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR2};

    event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
    return sigaction(SIGUSR2, &action, NULL) == 0 &&
           timer_create(CLOCK_MONOTONIC, &event, &arrivals.linger) == 0;
}

/* Of no use to any reader of files. */
static bool make_blank(void)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
        return false;
    arrivals.blank = ends[0];
    close(ends[1]);
    return true;
}

void viommu_arrivals_go_on(void)
{
    arrivals.next_passes = true;
}

int viommu_arrivals_open(sd_bus *bus, const ViommuArrivalFuncs *funcs, void *userdata)
{
    int fd = sd_bus_get_fd(bus);

    if (fd < 0)
        return fd;
    if (!make_timer() || !make_blank())
        return -errno;
    arrivals.event = sd_bus_get_event(bus);
    arrivals.funcs = *funcs;
    arrivals.next_passes = false;
    arrivals.userdata = userdata;
    arrivals.left = 0;
    arrivals.tokens = g_hash_table_new(NULL, NULL);
    arrivals.batches = g_hash_table_new_full(NULL, NULL, free_batch, NULL);
    arrivals.socket = fd;
    return 0;
}

void viommu_arrivals_close(void)
{
    if (arrivals.socket == 0)
        return;
    arrivals.socket = 0;
    timer_delete(arrivals.linger);
    close(arrivals.blank);
    g_clear_pointer(&arrivals.batches, g_hash_table_unref);
    g_clear_pointer(&arrivals.tokens, g_hash_table_unref);
}
