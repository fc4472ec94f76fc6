/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire: a length, then so many bytes; descriptors are sent with the length. */
#include "daemon/files/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "lib/base/error.h"

static bool late(GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_BUSY, "no message arrived in time");
}

static bool gone(GError **error, int code)
{
    return viommu_fail(error, VIOMMU_ERROR_BACKEND, "the other end closed the connection: %s",
                       code ? g_strerror(code) : "end of file");
}

static bool broken(GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "it sent an invalid message");
}

/* Waits until the socket is ready for @events. */
static bool wait_ready(int socket, short events, gint64 end_usec, GError **error)
{
    for (;;) {
        struct pollfd ready = {.fd = socket, .events = events};
        gint64 left = end_usec == VIOMMU_WIRE_FOR_EVER ? 0 : end_usec - g_get_monotonic_time();
        int r, ms = -1;

        if (end_usec != VIOMMU_WIRE_FOR_EVER)
            ms = (int)CLAMP((left + G_TIME_SPAN_MILLISECOND - 1) / G_TIME_SPAN_MILLISECOND, 0, G_MAXINT);
        r = poll(&ready, 1, ms);
        if (r > 0)
            return true;
        if (r < 0 && errno != EINTR)
            return gone(error, errno);
        if (r == 0 && ms == 0)
            return late(error);
    }
}

/* Room for the descriptors of one frame, in the kernel's layout. */
typedef union Control {
    char bytes[CMSG_SPACE(sizeof(int) * VIOMMU_WIRE_FDS_MAX)];
    struct cmsghdr header;
} Control;

static void put_fds(struct msghdr *header, Control *control, const GArray *fds)
{
    struct cmsghdr *part;

    header->msg_control = control->bytes;
    header->msg_controllen = CMSG_SPACE(sizeof(int) * fds->len);
    part = CMSG_FIRSTHDR(header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(sizeof(int) * fds->len);
    memcpy(CMSG_DATA(part), fds->data, sizeof(int) * fds->len);
}

static bool send_bytes(int socket, const void *bytes, size_t n, const GArray *fds, gint64 end_usec,
                       GError **error)
{
    for (size_t done = 0; done < n;) {
        struct iovec piece = {(char *)bytes + done, n - done};
        struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
        Control control = {{0}};
        ssize_t sent;

        if (done == 0 && fds && fds->len > 0)
            put_fds(&header, &control, fds);
        sent = sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent >= 0)
            done += (size_t)sent;
        else if (errno == EAGAIN ? !wait_ready(socket, POLLOUT, end_usec, error) : errno != EINTR)
            return errno == EAGAIN ? false : gone(error, errno);
    }
    return true;
}

bool viommu_wire_send(int socket, GVariant *message, const GArray *fds, gint64 end_usec, GError **error)
{
    g_autoptr(GVariant) value = g_variant_ref_sink(message);
    size_t size = g_variant_get_size(value);
    guint32 length = (guint32)size;

    g_return_val_if_fail(!fds || fds->len <= VIOMMU_WIRE_FDS_MAX, false);
    if (size > VIOMMU_WIRE_BYTES_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the request is too large");
    return send_bytes(socket, &length, sizeof(length), fds, end_usec, error) &&
           send_bytes(socket, g_variant_get_data(value), size, NULL, end_usec, error);
}

/* Always takes them, so that none stays open unnoticed. */
static bool take_fds(struct msghdr *header, GArray *fds)
{
    bool wanted = !(header->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < n; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
            if (fds)
                g_array_append_val(fds, fd);
            else
                close(fd);
        }
        wanted = wanted && fds;
    }
    return wanted;
}

static bool receive_bytes(int socket, void *bytes, size_t n, GArray *fds, gint64 end_usec, GError **error)
{
    for (size_t done = 0; done < n;) {
        Control control;
        struct iovec piece = {(char *)bytes + done, n - done};
        struct msghdr header = {.msg_iov = &piece,
                                .msg_iovlen = 1,
                                .msg_control = control.bytes,
                                .msg_controllen = sizeof(control)};
        ssize_t got;

        if (!wait_ready(socket, POLLIN, end_usec, error))
            return false;
        got = recvmsg(socket, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            continue;
        if (got <= 0)
            return gone(error, got < 0 ? errno : 0);
        if (!take_fds(&header, fds))
            return broken(error);
        done += (size_t)got;
    }
    return true;
}

GVariant *viommu_wire_receive(int socket, const char *type, GArray *fds, gint64 end_usec, GError **error)
{
    g_autoptr(GVariant) value = NULL;
    guint32 length;
    void *bytes;

    if (!receive_bytes(socket, &length, sizeof(length), fds, end_usec, error))
        return NULL;
    if (length > VIOMMU_WIRE_BYTES_MAX) {
        broken(error);
        return NULL;
    }
    bytes = g_malloc(MAX(length, 1));
    if (!receive_bytes(socket, bytes, length, NULL, end_usec, error)) {
        g_free(bytes);
        return NULL;
    }
    value = g_variant_new_from_data(G_VARIANT_TYPE(type), bytes, length, FALSE, g_free, bytes);
    g_variant_ref_sink(value);
    if (g_variant_is_normal_form(value))
        return g_steal_pointer(&value);
    broken(error);
    return NULL;
}
