/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommud-files: the process that opens, reads and copies files, so that a file that never answers
 * does not block viommud.  viommud starts it before any user's file arrives, and sends it one
 * socket for each launch; this process forks one child for each, and touches no file itself.  It
 * has one thread, so it may fork; and it holds no user's descriptor, so a child has only those of
 * its own launch.  Does not know libvirt, machines or the bus. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "daemon/files/reader-words.h"
#include "daemon/files/wire.h"
#include "lib/base/error.h"

#define CONTROL 0 /* standard input */

#define EXIT_USAGE 2

/* viommud kills a child that is late.  If viommud itself is gone, the child ends by itself, a
 * little later. */
#define GRACE_SEC 5u

static bool answer(int socket, const GError *error, GVariant *result, const GArray *fds)
{
    GVariant *words = viommu_reader_answer_to_variant(error, result);

    return viommu_wire_send(socket, words, fds, VIOMMU_WIRE_FOR_EVER, NULL);
}

/* The first message: a handle (pidfd) with which viommud can kill this process and see it end, even
 * if its process id is reused. */
static bool introduce(int socket)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
    int handle = (int)syscall(SYS_pidfd_open, getpid(), 0);
    bool sent;

    if (handle < 0)
        return false;
    g_array_append_val(fds, handle);
    sent = answer(socket, NULL, NULL, fds);
    close(handle);
    return sent;
}

static void append_backing(const ViommuFiles *files, guint i, GArray *fds)
{
    const ViommuHandover *disk = g_ptr_array_index(viommu_files_handovers(files)->disks, i);

    for (guint j = 0; disk->backing && j < disk->backing->len; j++) {
        int fd = viommu_files_backing(files, i, j);

        if (((const ViommuHandoverBacking *)g_ptr_array_index(disk->backing, j))->is_open)
            g_array_append_val(fds, fd);
    }
}

/* Those that were opened. */
static guint count_disks(const ViommuFiles *files)
{
    return viommu_files_handovers(files) ? viommu_files_handovers(files)->disks->len : 0;
}

/* Floating; NULL: none. */
static GVariant *image_to_variant(const ViommuFiles *files)
{
    unsigned directory;
    const ViommuSiteImage *image = viommu_files_image(files, &directory);

    return image ? g_variant_new("(u@a{sv})", directory, viommu_site_image_to_variant(image)) : NULL;
}

/* Appends the descriptors that belong to it to @fds, borrowed. */
static GVariant *opened_to_variant(const ViommuFiles *files, GArray *fds)
{
    const ViommuKernel *kernel = viommu_files_kernel(files);
    guint n_disks = count_disks(files);
    GVariantBuilder open, states;

    g_variant_builder_init(&open, G_VARIANT_TYPE("ab"));
    g_variant_builder_init(&states, G_VARIANT_TYPE("am" VIOMMU_FILE_STATE_TYPE));
    for (guint i = 0; i < n_disks; i++) {
        const ViommuFileState *state = viommu_files_state(files, i);
        int fd = viommu_files_disk(files, i);

        g_variant_builder_add_value(&states,
                                    g_variant_new_maybe(G_VARIANT_TYPE(VIOMMU_FILE_STATE_TYPE),
                                                        state ? viommu_file_state_to_variant(state) : NULL));
        g_variant_builder_add(&open, "b", fd >= 0);
        if (fd >= 0)
            g_array_append_val(fds, fd);
        append_backing(files, i, fds);
    }
    return g_variant_new(
        "(@" VIOMMU_HANDOVERS_TYPE "@m" VIOMMU_KERNEL_TYPE "@abt@am" VIOMMU_FILE_STATE_TYPE
        "@m" VIOMMU_READER_IMAGE_TYPE ")",
        viommu_handovers_to_variant(viommu_files_handovers(files)),
        g_variant_new_maybe(G_VARIANT_TYPE(VIOMMU_KERNEL_TYPE),
                            kernel ? viommu_kernel_to_variant(kernel) : NULL),
        g_variant_builder_end(&open), viommu_files_copied_bytes(files), g_variant_builder_end(&states),
        g_variant_new_maybe(G_VARIANT_TYPE(VIOMMU_READER_IMAGE_TYPE), image_to_variant(files)));
}

static bool answer_opened(int socket, const ViommuFiles *files, const GError *error)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));

    return answer(socket, error, files ? opened_to_variant(files, fds) : NULL, fds);
}

/* Reads the first bytes of a disk, for one reason only: if its file system does not respond, this
 * process hangs, instead of libvirt's daemon, with all callers that list its machines, or a QEMU.
 * libvirt may be able to read a file that this process cannot. */
static void try_disk(const ViommuHandover *handover, int fd)
{
    char bytes[4096];
    int own = -1;

    if (fd < 0 && !handover->is_block)
        own = open(handover->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (pread(fd >= 0 ? fd : own, bytes, sizeof(bytes), 0) < 0)
        errno = 0;
    if (own >= 0)
        close(own);
}

static void try_disks(const ViommuFiles *files)
{
    for (guint i = 0; i < count_disks(files); i++)
        try_disk(g_ptr_array_index(viommu_files_handovers(files)->disks, i), viommu_files_disk(files, i));
}

/* @disks: their bits. */
static bool answer_digests(int socket, const ViommuReaderQuestion *question, const ViommuFiles *files,
                           uint64_t disks)
{
    g_autoptr(GError) error = NULL;
    GVariantBuilder digests;

    alarm(question->digest_timeout_sec + GRACE_SEC);
    g_variant_builder_init(&digests, G_VARIANT_TYPE(VIOMMU_READER_DIGESTS_TYPE));
    for (guint i = 0; !error && i < count_disks(files); i++) {
        g_autofree char *digest = (disks & VIOMMU_BIT(i)) && viommu_files_state(files, i)
                                      ? viommu_files_digest(files, i, &error)
                                      : NULL;

        if (digest)
            g_variant_builder_add(&digests, "s", digest);
    }
    if (!error)
        return answer(socket, NULL, g_variant_builder_end(&digests), NULL);
    g_variant_builder_clear(&digests);
    return answer(socket, error, NULL, NULL);
}

static void answer_prepared(int socket, const ViommuReaderQuestion *question, ViommuFiles *files,
                            uint64_t group)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(GError) error = NULL;

    alarm(question->timeout_sec + GRACE_SEC);
    if (viommu_files_prepare(files, group, &error))
        for (guint i = 0; i < count_disks(files); i++) {
            int fd = viommu_files_overlay(files, i);

            if (fd >= 0)
                g_array_append_val(fds, fd);
        }
    answer(socket, error, NULL, fds);
}

/* Does what viommud wants next, as often as it wants. */
static bool go_on(int socket, const ViommuReaderQuestion *question, ViommuFiles *files)
{
    g_autoptr(GVariant) order = NULL;
    const char *what;
    guint64 number;

    alarm(0);
    order = viommu_wire_receive(socket, VIOMMU_READER_GO_ON_TYPE, NULL, VIOMMU_WIRE_FOR_EVER, NULL);
    if (!order)
        return false;
    g_variant_get(order, "(&st)", &what, &number);
    if (g_str_equal(what, VIOMMU_READER_DIGEST))
        return answer_digests(socket, question, files, number);
    answer_prepared(socket, question, files, number);
    return false;
}

/* Serves one launch: opens, replies, waits until the domain is defined, prepares, replies. */
static void serve(int socket)
{
    g_autoptr(GArray) fds = g_array_new(FALSE, FALSE, sizeof(int));
    g_autoptr(GVariant) words = NULL;
    g_autoptr(ViommuReaderQuestion) question = NULL;
    g_autoptr(ViommuFiles) files = NULL;
    g_autoptr(GError) error = NULL;

    if (!introduce(socket))
        return;
    words = viommu_wire_receive(socket, VIOMMU_READER_QUESTION_TYPE, fds, VIOMMU_WIRE_FOR_EVER, NULL);
    question = words ? viommu_reader_question_from_variant(words, fds) : NULL;
    if (!question)
        return;
    alarm(question->timeout_sec + GRACE_SEC);
    files = viommu_files_open(&question->site, question->request, &question->machine, &error);
    if (files)
        try_disks(files);
    if (!answer_opened(socket, files, error) || !files)
        return;
    while (go_on(socket, question, files))
        ;
}

/* Waits for the socket of the next launch; -1: viommud is gone. */
static int next_socket(void)
{
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr header;
    } control;
    char byte;
    struct iovec piece = {&byte, 1};
    struct msghdr header = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control)};
    struct cmsghdr *part;
    ssize_t n;

    do
        n = recvmsg(CONTROL, &header, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    part = n > 0 ? CMSG_FIRSTHDR(&header) : NULL;
    if (!part || part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
        return -1;
    return *(int *)(void *)CMSG_DATA(part);
}

int main(int argc, char **argv)
{
    int type = 0, socket;
    socklen_t size = sizeof(type);

    if (argc > 1 || getsockopt(CONTROL, SOL_SOCKET, SO_TYPE, &type, &size) < 0) {
        fprintf(stderr, "viommud-files: viommud starts this program itself; do not run it by hand\n");
        return EXIT_USAGE;
    }
    /* it was executed through a descriptor, so it has no name */
    prctl(PR_SET_NAME, "viommud-files");
    /* It ends with viommud, at the end of file, not by a signal to viommud's group.  Children leave
     * no zombies. */
    signal(SIGTERM, SIG_IGN);
    signal(SIGINT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGCHLD, SIG_IGN);
    while ((socket = next_socket()) >= 0) {
        pid_t child = fork();

        if (child == 0) {
            /* without viommud, nobody would remove what this one makes */
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            /* how qemu-img ended must be known */
            signal(SIGCHLD, SIG_DFL);
            close(CONTROL);
            serve(socket);
            /* exit normally, for coverage and leak checks */
            return EXIT_SUCCESS;
        }
        /* If the fork failed, viommud sees the end of file. */
        close(socket);
    }
    return EXIT_SUCCESS;
}
