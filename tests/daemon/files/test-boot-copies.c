/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-boot-copies: copies of boot files, their size and their limits. */
#include "daemon/files/boot-copies.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <grp.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "tests/unit/unit.h"

#define MEBIBYTE ((size_t)1 << 20)
#define UUID     "0b4a2a3a-4c07-4c4b-9c3b-2f9d3f3d3a01"
#define MIB      ((off_t)1 << 20)
/* Ids without a user or group. */
#define QEMU_GROUP 64055
#define STRANGER   64057

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
    /* The caller's file offset is unchanged. */
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

static void assert_no_copy(const char *where, const ViommuCopySource *source, const char *words)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_copies_make(where, UUID, VIOMMU_COPY_INITRD, source, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert_msg(strstr(error->message, words), "%s", error->message);
}

/* Where blocks cannot be shared, bytes are copied. */
START_TEST(from_another_file_system)
{
    g_autofree char *words = g_strnfill(2 * MIB, 'w');
    int fd = memfd_create("source", MFD_CLOEXEC);
    struct stat info;

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, words, (size_t)(2 * MIB), 3 * MIB), 2 * MIB);
    copy(fd, (uint64_t)(6 * MIB), &info);
    ck_assert_int_eq(info.st_size, 6 * MIB);
    check_byte(3 * MIB - 1, 0);
    check_byte(3 * MIB, 'w');
    check_byte(5 * MIB - 1, 'w');
    check_byte(5 * MIB, 0);
    close(fd);
}
END_TEST

/* Names alone tell whose they are, and what a guest sees of an overlay. */
START_TEST(names_tell)
{
    static const char *const others[] = {"0b4a2a3a-4c07-4c4b-9c3b-2f9d3f3d3a02.seed", "short", UUID,
                                         UUID "x.seed"};
    g_autofree char *large = viommu_copies_overlay_path(directory, UUID, 0, UINT64_C(20) << 30);
    g_autofree char *small = viommu_copies_overlay_path(directory, UUID, 15, 512);
    g_autofree char *seed = viommu_copies_seed_path(directory, UUID);
    g_autoptr(GHashTable) copies = NULL;
    const ViommuCopiesSize *size;

    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *path = g_build_filename(directory, others[i], NULL);

        ck_assert(g_file_set_contents(path, "xx", 2, NULL));
    }
    ck_assert(g_file_set_contents(large, "x", 1, NULL) && g_file_set_contents(small, "x", 1, NULL) &&
              g_file_set_contents(seed, "seed", 4, NULL));
    copies = viommu_copies_list(directory);
    ck_assert_uint_eq(g_hash_table_size(copies), 2);
    size = g_hash_table_lookup(copies, UUID);
    ck_assert_uint_eq(size->bytes, 4);
    ck_assert_uint_eq(size->overlay_bytes, (UINT64_C(20) << 30) + 512);
    ck_assert(viommu_copies_remove(directory, UUID, NULL));
    ck_assert(!g_file_test(large, G_FILE_TEST_EXISTS) && !g_file_test(small, G_FILE_TEST_EXISTS) &&
              !g_file_test(seed, G_FILE_TEST_EXISTS));
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_autofree char *path = g_build_filename(directory, others[i], NULL);

        ck_assert_msg(g_unlink(path) == 0, "%s", path);
    }
}
END_TEST

/* QEMU owns its kernel's copy, and a hostile one makes it large. */
START_TEST(what_qemu_has_made_large)
{
    g_autofree char *path = viommu_copies_path(directory, UUID, VIOMMU_COPY_KERNEL);
    g_autoptr(GHashTable) copies = NULL;

    ck_assert(g_file_set_contents(path, "x", 1, NULL));
    ck_assert_int_eq(truncate(path, (off_t)1 << 40), 0);
    copies = viommu_copies_list(directory);
    ck_assert_uint_eq(((const ViommuCopiesSize *)g_hash_table_lookup(copies, UUID))->bytes,
                      VIOMMU_COPY_BYTES_MAX);
}
END_TEST

/* More than a file can have. */
START_TEST(sizes_that_are_too_large)
{
    g_autoptr(GHashTable) copies = NULL;
    const ViommuCopiesSize *size;

    for (unsigned i = 0; i < 3; i++) {
        g_autofree char *path = viommu_copies_overlay_path(directory, UUID, i, i ? UINT64_MAX : 512);

        ck_assert(g_file_set_contents(path, "x", 1, NULL));
    }
    copies = viommu_copies_list(directory);
    size = g_hash_table_lookup(copies, UUID);
    ck_assert_uint_eq(size->overlay_bytes, INT64_MAX);
    ck_assert(viommu_copies_remove(directory, UUID, NULL));
}
END_TEST

/* libvirt's daemon has an overlay open for longer than its guest runs. */
START_TEST(what_is_open_gives_its_room_back)
{
    g_autofree char *path = viommu_copies_overlay_path(directory, UUID, 0, 1 << 30);
    struct stat info;
    int fd;

    ck_assert(g_file_set_contents(path, "written", 7, NULL));
    ck_assert_int_ge(fd = open(path, O_RDWR | O_CLOEXEC), 0);
    ck_assert(viommu_copies_remove(directory, UUID, NULL));
    ck_assert_int_eq(fstat(fd, &info), 0);
    ck_assert_int_eq(info.st_nlink, 0);
    ck_assert_int_eq(info.st_size, 0);
    close(fd);
}
END_TEST

/* What is written of overlays counts, and no other file. */
START_TEST(overlays_are_sparse)
{
    g_autofree char *first = viommu_copies_overlay_path(directory, UUID, 0, 1 << 30);
    g_autofree char *second = viommu_copies_overlay_path(directory, UUID, 1, 1 << 30);
    g_autofree char *kernel = viommu_copies_path(directory, UUID, VIOMMU_COPY_KERNEL);
    g_autofree char *data = g_strnfill(MEBIBYTE, 'x');
    g_autoptr(GHashTable) taken = NULL;
    uint64_t bytes;

    ck_assert(g_file_set_contents(first, data, MEBIBYTE, NULL));
    ck_assert(g_file_set_contents(second, data, MEBIBYTE, NULL));
    ck_assert(g_file_set_contents(kernel, data, MEBIBYTE, NULL));
    ck_assert_int_eq(truncate(second, (off_t)1 << 30), 0);
    sync();
    taken = viommu_copies_measure_overlays(directory);
    bytes = *(const uint64_t *)g_hash_table_lookup(taken, UUID);
    ck_assert_uint_ge(bytes, 2 * MEBIBYTE);
    ck_assert_uint_lt(bytes, 3 * MEBIBYTE);
    ck_assert(viommu_copies_remove(directory, UUID, NULL));
    ck_assert(!viommu_copies_measure_room("/nowhere", &bytes));
}
END_TEST

START_TEST(room)
{
    g_autofree char *made = g_build_filename(directory, "made", NULL);
    g_autoptr(GError) error = NULL;

    ck_assert(viommu_copies_check_room(made, 0, NULL));
    ck_assert(viommu_copies_check_room(made, 1, NULL));
    ck_assert(!viommu_copies_check_room(made, (uint64_t)1 << 62, &error));
    ck_assert(error->code == VIOMMU_ERROR_BUSY && strstr(error->message, "[limits] disk-reserve="));
    ck_assert_int_eq(g_rmdir(made), 0);
}
END_TEST

/* An existing file is not replaced, and a directory is not copied. */
START_TEST(what_stands_in_the_way)
{
    int fd = make_source(10);
    const ViommuCopySource source = {fd, 10};
    g_autofree char *path = viommu_copies_path(directory, UUID, VIOMMU_COPY_INITRD);
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(symlink("/nowhere", path), 0);
    assert_no_copy(directory, &source, "cannot create the copy '");
    ck_assert_int_eq(g_unlink(path), 0);
    ck_assert_int_eq(g_mkdir(path, 0700), 0);
    assert_no_copy(directory, &source, "cannot create the copy '");
    ck_assert(!viommu_copies_remove(directory, UUID, &error));
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL));
    ck_assert_msg(strstr(error->message, "cannot delete the copy '"), "%s", error->message);
    ck_assert_int_eq(g_rmdir(path), 0);
    /* A file in place of the directory. */
    ck_assert(g_file_set_contents(path, "", 0, NULL));
    assert_no_copy(path, &source, "cannot create the directory '");
    ck_assert(viommu_copies_remove(path, UUID, NULL));
    close(fd);
}
END_TEST

START_TEST(a_full_file_system)
{
    g_autofree char *words = g_strnfill(MIB, 'w'), *small = g_build_filename(directory, "small", NULL);
    int fd = make_source(0);
    const ViommuCopySource source = {fd, (uint64_t)MIB};

    ck_assert_int_eq(pwrite(fd, words, (size_t)MIB, 0), MIB);
    ck_assert_int_eq(g_mkdir(small, 0700), 0);
    if (mount("none", small, "tmpfs", 0, "size=64k") < 0) {
        g_print("skipped: a_full_file_system: %s\n", g_strerror(errno));
    } else {
        assert_no_copy(small, &source, "viommud cannot copy it to '");
        /* The offset in the source is unchanged. */
        ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
        ck_assert_int_eq(umount(small), 0);
    }
    ck_assert_int_eq(g_rmdir(small), 0);
    close(fd);
}
END_TEST

/* Whether a process with group @group alone can open the copy. */
static bool passes(const char *place, gid_t group)
{
    g_autofree char *path = g_build_filename(place, "copy", NULL);
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(setgroups(0, NULL) == 0 && setresgid(group, group, group) == 0 &&
                      setresuid(STRANGER, STRANGER, STRANGER) == 0 && open(path, O_RDONLY | O_CLOEXEC) >= 0
                  ? 0
                  : 1);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* QEMU's group, and no other user, can open the copy; rights that the site added stay. */
START_TEST(one_group_passes)
{
    g_autofree char *place = g_build_filename(directory, "place", NULL),
                    *path = g_build_filename(place, "copy", NULL);
    g_autoptr(GError) error = NULL;
    struct stat info;

    if (geteuid() != 0) {
        g_print("skipped: one_group_passes: it takes root to be of another group\n");
        return;
    }
    ck_assert_int_eq(g_chmod(directory, 0755), 0);
    unit_assert_ok(viommu_copies_guard(place, QEMU_GROUP, &error), error);
    ck_assert(g_file_set_contents(path, "x", 1, NULL));
    ck_assert_int_eq(g_chmod(path, 0644), 0);
    ck_assert(passes(place, QEMU_GROUP));
    ck_assert(!passes(place, QEMU_GROUP + 1));
    unit_assert_ok(viommu_copies_guard(place, QEMU_GROUP + 1, &error), error);
    ck_assert(!passes(place, QEMU_GROUP));
    ck_assert_int_eq(removexattr(place, "system.posix_acl_access"), 0);
    ck_assert_int_eq(chown(place, 0, QEMU_GROUP), 0);
    ck_assert_int_eq(g_chmod(place, 0710), 0);
    unit_assert_ok(viommu_copies_guard(place, QEMU_GROUP, &error), error);
    ck_assert_int_eq(stat(place, &info), 0);
    ck_assert_int_eq(info.st_mode & 07777, 0710);
    ck_assert(passes(place, QEMU_GROUP) && !passes(place, QEMU_GROUP + 1));
    ck_assert(!viommu_copies_guard(path, QEMU_GROUP, &error));
    ck_assert_msg(strstr(error->message, "the directory of copies, to QEMU's group 64055 alone"), "%s",
                  error->message);
    ck_assert_int_eq(g_unlink(path), 0);
    ck_assert_int_eq(g_rmdir(place), 0);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("copies");

    /* Mounts are invisible to others. */
    if (unshare(CLONE_NEWNS) == 0)
        (void)mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);

    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, holes_stay_holes);
    tcase_add_test(all, what_grows_is_cut);
    tcase_add_test(all, what_shrinks_is_filled);
    tcase_add_test(all, sizes_are_judged);
    tcase_add_test(all, from_another_file_system);
    tcase_add_test(all, names_tell);
    tcase_add_test(all, what_qemu_has_made_large);
    tcase_add_test(all, sizes_that_are_too_large);
    tcase_add_test(all, what_is_open_gives_its_room_back);
    tcase_add_test(all, overlays_are_sparse);
    tcase_add_test(all, room);
    tcase_add_test(all, what_stands_in_the_way);
    tcase_add_test(all, a_full_file_system);
    tcase_add_test(all, one_group_passes);
    return unit_run_case("copies", all);
}
