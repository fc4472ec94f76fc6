/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-wire: what a compromised process at the other end may send. */
#include "daemon/files/wire.h"

#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/unit/unit.h"

#define SENSELESS "it sent an invalid message"
#define SHORT_MS  50

/* Two ends of a socket, and the number of descriptors that were open before. */
static int ends[2];
static guint n_before;

static guint count_fds(void)
{
    g_autoptr(GDir) directory = g_dir_open("/proc/self/fd", 0, NULL);
    guint n = 0;

    while (g_dir_read_name(directory))
        n++;
    return n;
}

static void set_up(void)
{
    n_before = count_fds();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
}

static void close_end(int i)
{
    if (ends[i] >= 0)
        close(ends[i]);
    ends[i] = -1;
}

/* Whatever arrived, no unknown descriptor stays open. */
static void take_down(void)
{
    close_end(0);
    close_end(1);
    ck_assert_uint_eq(count_fds(), n_before);
}

static void clear_fd(void *fd)
{
    close(*(int *)fd);
}

static GArray *new_fds(guint n)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_set_clear_func(fds, clear_fd);
    for (guint i = 0; i < n; i++) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        g_array_append_val(fds, fd);
    }
    return fds;
}

static gint64 soon(void)
{
    return g_get_monotonic_time() + SHORT_MS * G_TIME_SPAN_MILLISECOND;
}

/* Sends @bytes, with @n_fds descriptors at the first byte. */
static void send_raw(const void *bytes, size_t size, guint n_fds)
{
    g_autoptr(GArray) fds = new_fds(n_fds);
    struct iovec piece = {(void *)bytes, size};
    struct msghdr header = {.msg_iov = &piece, .msg_iovlen = 1};
    union {
        char bytes[CMSG_SPACE(sizeof(int) * VIOMMU_WIRE_FDS_MAX)];
        struct cmsghdr header;
    } control = {{0}};

    if (n_fds > 0) {
        header.msg_control = control.bytes;
        header.msg_controllen = CMSG_SPACE(sizeof(int) * n_fds);
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int) * n_fds)};
        memcpy(CMSG_DATA(&control.header), fds->data, sizeof(int) * n_fds);
    }
    ck_assert_int_eq(sendmsg(ends[1], &header, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_length(guint32 length, guint n_fds)
{
    send_raw(&length, sizeof(length), n_fds);
}

/* Receiving fails with this error. */
static void assert_refused(const char *type, GArray *fds, int code, const char *message)
{
    g_autoptr(GError) error = NULL;

    ck_assert_ptr_null(viommu_wire_receive(ends[0], type, fds, soon(), &error));
    unit_assert_error(error, code, message);
}

START_TEST(there_and_back)
{
    g_autoptr(GArray) sent = new_fds(3), got = new_fds(0);
    g_autoptr(GVariant) first = NULL, second = NULL,
                        wanted = g_variant_ref_sink(g_variant_new("(si)", "a", 7));
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_wire_send(ends[1], wanted, sent, soon(), &error), error);
    unit_assert_ok(viommu_wire_send(ends[1], g_variant_new("()"), NULL, soon(), &error), error);
    first = viommu_wire_receive(ends[0], "(si)", got, soon(), &error);
    unit_assert_ok(first != NULL, error);
    ck_assert(g_variant_equal(first, wanted));
    ck_assert_uint_eq(got->len, 3);
    second = viommu_wire_receive(ends[0], "()", NULL, soon(), &error);
    unit_assert_ok(second != NULL, error);
}
END_TEST

START_TEST(as_many_descriptors_as_linux_takes)
{
    g_autoptr(GArray) sent = new_fds(VIOMMU_WIRE_FDS_MAX), got = new_fds(0);
    g_autoptr(GVariant) value = NULL;
    g_autoptr(GError) error = NULL;

    unit_assert_ok(viommu_wire_send(ends[1], g_variant_new_uint64(1), sent, soon(), &error), error);
    value = viommu_wire_receive(ends[0], "t", got, soon(), &error);
    unit_assert_ok(value != NULL, error);
    ck_assert_uint_eq(got->len, VIOMMU_WIRE_FDS_MAX);
}
END_TEST

START_TEST(too_large_to_be_sent)
{
    g_autofree char *text = g_strnfill(VIOMMU_WIRE_BYTES_MAX, 'x');
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_wire_send(ends[1], g_variant_new_string(text), NULL, soon(), &error));
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, "the request is too large");
}
END_TEST

/* --- Lengths --- */

START_TEST(longer_than_any_frame)
{
    send_length(VIOMMU_WIRE_BYTES_MAX + 1, 0);
    assert_refused("s", NULL, VIOMMU_ERROR_INTERNAL, SENSELESS);
    send_length(G_MAXUINT32, 0);
    assert_refused("s", NULL, VIOMMU_ERROR_INTERNAL, SENSELESS);
}
END_TEST

START_TEST(cut_off)
{
    send_length(100, 0);
    send_raw("ten bytes!", 10, 0);
    close_end(1);
    assert_refused("s", NULL, VIOMMU_ERROR_BACKEND, "the other end closed the connection: end of file");
}
END_TEST

START_TEST(cut_off_in_its_length)
{
    send_raw("\1\0", 2, 0);
    close_end(1);
    assert_refused("s", NULL, VIOMMU_ERROR_BACKEND, "the other end closed the connection: end of file");
}
END_TEST

START_TEST(never_complete)
{
    assert_refused("s", NULL, VIOMMU_ERROR_BUSY, "no message arrived in time");
    send_length(100, 0);
    send_raw("ten bytes!", 10, 0);
    assert_refused("s", NULL, VIOMMU_ERROR_BUSY, "no message arrived in time");
}
END_TEST

/* Nothing reads, so the socket fills up. */
START_TEST(never_taken)
{
    g_autofree char *text = g_strnfill(VIOMMU_WIRE_BYTES_MAX / 2, 'x');
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_wire_send(ends[1], g_variant_new_string(text), NULL, soon(), &error));
    unit_assert_error(error, VIOMMU_ERROR_BUSY, "no message arrived in time");
    close_end(0);
    ck_assert(!viommu_wire_send(ends[1], g_variant_new_string("a"), NULL, soon(), &error));
    unit_assert_error(error, VIOMMU_ERROR_BACKEND, "the other end closed the connection: Broken pipe");
}
END_TEST

/* --- Values --- */

/* Bytes that are not a value of the type. */
static const struct {
    const char *type, *bytes;
    guint32 size;
} forgeries[] = {
    {"s", "", 0},                                  /* nothing */
    {"s", "abc", 3},                               /* no end */
    {"s", "a\0b", 4},                              /* two ends */
    {"s", "\xff\xfe", 3},                          /* no UTF-8 */
    {"t", "1234567", 7},                           /* too short */
    {"t", "123456789", 9},                         /* too long */
    {"b", "\2", 1},                                /* neither true nor false */
    {"as", "a\0\377", 3},                          /* an offset beyond the end */
    {"as", "a\0b\0\4\2", 6},                       /* offsets that go back */
    {"(ismv)", "", 0},                             /* a reply of viommud-files */
    {"(ismv)", "\1\0\0\0a\0", 6},                  /* truncated */
    {"v", "\1\0s(", 4},                            /* a value of an invalid type */
    {"v", "((((((((((((((((((((((((((((((((", 32}, /* the same, deep */
};

START_TEST(no_value_of_the_type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(forgeries); i++) {
        send_length(forgeries[i].size, 0);
        if (forgeries[i].size > 0)
            send_raw(forgeries[i].bytes, forgeries[i].size, 0);
        assert_refused(forgeries[i].type, NULL, VIOMMU_ERROR_INTERNAL, SENSELESS);
    }
}
END_TEST

/* --- Descriptors --- */

START_TEST(descriptors_where_none_may_come)
{
    send_length(2, 3);
    assert_refused("s", NULL, VIOMMU_ERROR_INTERNAL, SENSELESS);
}
END_TEST

START_TEST(descriptors_with_the_value)
{
    g_autoptr(GArray) fds = new_fds(0);

    send_length(2, 0);
    send_raw("a", 2, 5);
    assert_refused("s", fds, VIOMMU_ERROR_INTERNAL, SENSELESS);
    ck_assert_uint_eq(fds->len, 0);
}
END_TEST

/* All descriptors that arrive are received; the caller counts and closes them. */
START_TEST(descriptors_with_each_byte_of_the_length)
{
    const guint32 length = 2;
    g_autoptr(GArray) fds = new_fds(0);
    g_autoptr(GVariant) value = NULL;
    g_autoptr(GError) error = NULL;

    for (size_t i = 0; i < sizeof(length); i++)
        send_raw((const char *)&length + i, 1, 100);
    send_raw("a", 2, 0);
    value = viommu_wire_receive(ends[0], "s", fds, soon(), &error);
    unit_assert_ok(value != NULL, error);
    ck_assert_uint_eq(fds->len, 400);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("wire");

    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, there_and_back);
    tcase_add_test(all, as_many_descriptors_as_linux_takes);
    tcase_add_test(all, too_large_to_be_sent);
    tcase_add_test(all, longer_than_any_frame);
    tcase_add_test(all, cut_off);
    tcase_add_test(all, cut_off_in_its_length);
    tcase_add_test(all, never_complete);
    tcase_add_test(all, never_taken);
    tcase_add_test(all, no_value_of_the_type);
    tcase_add_test(all, descriptors_where_none_may_come);
    tcase_add_test(all, descriptors_with_the_value);
    tcase_add_test(all, descriptors_with_each_byte_of_the_length);
    return unit_run_case("wire", all);
}
