/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Copies: what they cost, and where they stop. */
#include "daemon/files/boot-copies.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "tests/unit/unit.h"

#define UUID "0b4a2a3a-4c07-4c4b-9c3b-2f9d3f3d3a01"
#define MIB  ((off_t)1 << 20)

static char *directory;

static void set_up(void)
{
    directory = g_dir_make_tmp("viommu-copies-XXXXXX", NULL);
    ck_assert_ptr_nonnull(directory);
}

static void take_down(void)
{
    ck_assert(viommu_copies_remove(directory, UUID, NULL));
    g_rmdir(directory);
    g_clear_pointer(&directory, g_free);
}

/* A file of @bytes without a name, all of it a hole. */
static int make_source(off_t bytes)
{
    g_autofree char *path = g_build_filename(directory, "source-XXXXXX", NULL);
    int fd = g_mkstemp(path);

    ck_assert_int_ge(fd, 0);
    g_unlink(path);
    ck_assert_int_eq(ftruncate(fd, bytes), 0);
    return fd;
}

static void copy(int fd, uint64_t bytes, struct stat *ret_info)
{
    g_autofree char *path = viommu_copies_path(directory, UUID, VIOMMU_COPY_INITRD);
    const ViommuCopySource source = {fd, bytes};
    g_autoptr(GError) error = NULL;

    ck_assert_msg(viommu_copies_make(directory, UUID, VIOMMU_COPY_INITRD, &source, &error), "%s",
                  error ? error->message : "");
    ck_assert_int_eq(stat(path, ret_info), 0);
}

static void check_byte(off_t at, char expected)
{
    g_autofree char *path = viommu_copies_path(directory, UUID, VIOMMU_COPY_INITRD);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char byte = 'x';

    ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
    ck_assert_int_eq(byte, expected);
    close(fd);
}

START_TEST(holes_stay_holes)
{
    int fd = make_source(300 * MIB);
    struct stat info;

    ck_assert_int_eq(pwrite(fd, "a", 1, 0), 1);
    ck_assert_int_eq(pwrite(fd, "b", 1, 200 * MIB), 1);
    ck_assert_int_eq(lseek(fd, 7, SEEK_SET), 7);
    copy(fd, (uint64_t)(300 * MIB), &info);
    ck_assert_int_eq(info.st_size, 300 * MIB);
    ck_assert_int_lt(info.st_blocks * 512, MIB);
    check_byte(0, 'a');
    check_byte(200 * MIB, 'b');
    check_byte(200 * MIB + 1, 0);
    check_byte(300 * MIB - 1, 0);
    /* The caller's place in it is as it was. */
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 7);
    close(fd);
}
END_TEST

START_TEST(what_grows_is_cut)
{
    static const char text[] = "0123456789";
    int fd = make_source(0);
    uint64_t bytes = 0;
    struct stat info;

    ck_assert_int_eq(pwrite(fd, text, 10, 0), 10);
    ck_assert(viommu_copies_measure(fd, &bytes, NULL));
    ck_assert_uint_eq(bytes, 10);
    ck_assert_int_eq(pwrite(fd, text, 10, 10), 10);
    ck_assert_int_eq(ftruncate(fd, 900 * MIB), 0);
    copy(fd, bytes, &info);
    ck_assert_int_eq(info.st_size, 10);
    check_byte(9, '9');
    close(fd);
}
END_TEST

START_TEST(what_shrinks_is_filled)
{
    int fd = make_source(10);
    struct stat info;

    ck_assert_int_eq(pwrite(fd, "0123456789", 10, 0), 10);
    ck_assert_int_eq(ftruncate(fd, 3), 0);
    copy(fd, 10, &info);
    ck_assert_int_eq(info.st_size, 10);
    check_byte(2, '2');
    check_byte(3, 0);
    close(fd);
}
END_TEST

START_TEST(sizes_are_judged)
{
    int empty = make_source(0), large = make_source((off_t)VIOMMU_COPY_BYTES_MAX + 1),
        fits = make_source((off_t)VIOMMU_COPY_BYTES_MAX);
    g_autoptr(GError) error = NULL;
    uint64_t bytes = 0;

    ck_assert(!viommu_copies_measure(empty, &bytes, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    g_clear_error(&error);
    ck_assert(!viommu_copies_measure(large, &bytes, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST));
    ck_assert_ptr_nonnull(strstr(error->message, "larger than 512 MiB"));
    ck_assert_uint_eq(bytes, 0);
    ck_assert(viommu_copies_measure(fits, &bytes, NULL));
    ck_assert_uint_eq(bytes, VIOMMU_COPY_BYTES_MAX);
    close(empty);
    close(large);
    close(fits);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("copies");

    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, holes_stay_holes);
    tcase_add_test(all, what_grows_is_cut);
    tcase_add_test(all, what_shrinks_is_filled);
    tcase_add_test(all, sizes_are_judged);
    return unit_run_case("copies", all);
}
