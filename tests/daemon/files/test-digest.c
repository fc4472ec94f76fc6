/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-digest: digests of files, and what is remembered of them. */
#include "daemon/files/digest.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "tests/unit/unit.h"

/* As sha256sum prints it for "abc". */
#define OF_ABC "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static char *path;

static void set_up(void)
{
    int fd = g_file_open_tmp("viommu-digest-XXXXXX", &path, NULL);

    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void take_down(void)
{
    g_unlink(path);
    g_clear_pointer(&path, g_free);
}

static int open_with(const char *text)
{
    int fd = open(path, O_RDWR | O_TRUNC | O_CLOEXEC);

    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

START_TEST(of_a_file)
{
    int fd = open_with("abc"), directory = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    g_autofree char *digest = viommu_digest_compute(fd, NULL);
    g_autoptr(GError) error = NULL;

    ck_assert_str_eq(digest, OF_ABC);
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 3);
    close(fd);
    ck_assert_ptr_null(viommu_digest_compute(directory, &error));
    close(directory);
    unit_assert_error(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot read it: Is a directory");
}
END_TEST

/* Whoever may write to the file may also set its mtime back. */
START_TEST(written_and_dated_back)
{
    ViommuDigests *digests = viommu_digests_new();
    ViommuFileState before, after;
    struct timespec times[2];
    struct stat info;
    int fd = open_with("abc");

    ck_assert(viommu_file_state_get(fd, &before));
    viommu_digests_note(digests, 1000, &before, OF_ABC);
    ck_assert_str_eq(viommu_digests_find(digests, 1000, &before), OF_ABC);
    ck_assert_ptr_null(viommu_digests_find(digests, 1001, &before));
    ck_assert_int_eq(fstat(fd, &info), 0);
    times[0] = info.st_atim;
    times[1] = info.st_mtim;
    /* a tick of the clock that files are dated by */
    g_usleep(20000);
    ck_assert_int_eq(pwrite(fd, "x", 1, 0), 1);
    ck_assert_int_eq(futimens(fd, times), 0);
    ck_assert(viommu_file_state_get(fd, &after));
    close(fd);
    ck_assert(viommu_file_state_is_same(&before, &after));
    ck_assert_ptr_null(viommu_digests_find(digests, 1000, &after));
    viommu_digests_free(digests);
}
END_TEST

START_TEST(a_state_travels)
{
    const ViommuFileState sent = {1, UINT64_MAX, 3, -4, 5};
    g_autoptr(GVariant) value = g_variant_ref_sink(viommu_file_state_to_variant(&sent));
    ViommuFileState got = {0};

    viommu_file_state_from_variant(value, &got);
    ck_assert_mem_eq(&got, &sent, sizeof(got));
}
END_TEST

START_TEST(the_memory_is_bounded)
{
    ViommuDigests *digests = viommu_digests_new();
    const ViommuFileState first = {.inode = 0}, last = {.inode = 999};

    for (uint64_t i = 0; i < 1000; i++)
        viommu_digests_note(digests, 1000, &(ViommuFileState){.inode = i}, OF_ABC);
    ck_assert_ptr_null(viommu_digests_find(digests, 1000, &first));
    ck_assert_ptr_nonnull(viommu_digests_find(digests, 1000, &last));
    viommu_digests_free(digests);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("digest");

    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, of_a_file);
    tcase_add_test(all, written_and_dated_back);
    tcase_add_test(all, a_state_travels);
    tcase_add_test(all, the_memory_is_bounded);
    return unit_run_case("digest", all);
}
