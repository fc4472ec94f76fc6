/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-overlay: overlays as the real qemu-img makes them, and each way in which it fails. */
#include "daemon/files/overlay.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/domain/qcow2-header.h"
#include "tests/unit/unit.h"

#define MIB ((uint64_t)1 << 20)

static char *directory, *path, *base;

static void set_up(void)
{
    directory = g_dir_make_tmp("viommu-overlay-XXXXXX", NULL);
    ck_assert_ptr_nonnull(directory);
    path = g_build_filename(directory, "overlay", NULL);
    base = g_build_filename(directory, "base, with -odd: name", NULL);
}

static void take_down(void)
{
    g_unlink(path);
    g_unlink(base);
    g_rmdir(directory);
    g_clear_pointer(&directory, g_free);
    g_clear_pointer(&path, g_free);
    g_clear_pointer(&base, g_free);
}

static bool has_qemu_img(void)
{
    g_autofree char *program = g_find_program_in_path("qemu-img");

    if (!program)
        printf("not tested, as qemu-img is not installed here\n");
    return program;
}

/* Opening the base, which is a FIFO, would hang, and so would this test. */
START_TEST(the_base_is_not_opened)
{
    const ViommuOverlay overlay = {path, base, VIOMMU_DISK_FORMAT_RAW, 5 * MIB};
    g_autofree char *bytes = NULL;
    g_auto(ViommuImage) image = {NULL};
    g_autoptr(GError) error = NULL;
    struct stat info;
    gsize size;

    if (!has_qemu_img())
        return;
    ck_assert_int_eq(mkfifo(base, 0600), 0);
    unit_assert_ok(viommu_overlay_make(&overlay, &error), error);
    ck_assert_int_eq(stat(path, &info), 0);
    ck_assert_int_eq(info.st_mode & 07777, 0600);
    ck_assert(g_file_get_contents(path, &bytes, &size, NULL));
    unit_assert_ok(
        viommu_image_read_qcow2((const uint8_t *)bytes, MIN(size, VIOMMU_IMAGE_HEADER_BYTES), &image, &error),
        error);
    ck_assert_str_eq(image.backing, base);
    ck_assert_str_eq(image.backing_format, "raw");
    ck_assert_uint_eq(image.bytes, 5 * MIB);
}
END_TEST

START_TEST(its_words)
{
    const ViommuOverlay lost = {"/nowhere/overlay", base, VIOMMU_DISK_FORMAT_QCOW2, MIB};
    g_autoptr(GError) error = NULL;

    if (!has_qemu_img())
        return;
    ck_assert(!viommu_overlay_make(&lost, &error));
    unit_assert_error(
        error, VIOMMU_ERROR_BACKEND,
        "qemu-img cannot make the overlay '/nowhere/overlay': Could not create '/nowhere/overlay': No such file or directory");
}
END_TEST

START_TEST(no_program)
{
    const ViommuOverlay overlay = {path, base, VIOMMU_DISK_FORMAT_RAW, MIB};
    g_autofree char *before = g_strdup(g_getenv("PATH"));
    g_autoptr(GError) error = NULL;
    bool ok;

    g_setenv("PATH", directory, TRUE);
    ok = viommu_overlay_make(&overlay, &error);
    g_setenv("PATH", before, TRUE);
    ck_assert(!ok);
    unit_assert_error(
        error, VIOMMU_ERROR_NOT_SUPPORTED,
        "an overlay needs the program qemu-img, which is not installed; install it (Debian: qemu-utils; Fedora: qemu-img), or request the disk without an overlay");
}
END_TEST

static int open_base(const void *bytes, size_t size)
{
    ck_assert(g_file_set_contents(base, bytes, (gssize)size, NULL));
    return open(base, O_RDONLY | O_CLOEXEC);
}

START_TEST(sizes)
{
    uint8_t header[4096] = "QFI\xfb\0\0\0\2", huge[4096];
    uint64_t bytes = 0;
    int fd = open_base("some", 4);

    ck_assert(viommu_overlay_measure(fd, VIOMMU_DISK_FORMAT_RAW, &bytes, NULL));
    ck_assert_uint_eq(bytes, 512);
    close(fd);
    header[23] = 16;
    header[29] = 3;
    fd = open_base(header, sizeof(header));
    ck_assert(viommu_overlay_measure(fd, VIOMMU_DISK_FORMAT_QCOW2, &bytes, NULL));
    ck_assert_uint_eq(bytes, 3 << 16);
    ck_assert(viommu_overlay_measure(fd, VIOMMU_DISK_FORMAT_RAW, &bytes, NULL));
    ck_assert_uint_eq(bytes, sizeof(header));
    ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 0);
    close(fd);
    memcpy(huge, header, sizeof(huge));
    memset(huge + 24, 0xff, 8);
    fd = open_base(huge, sizeof(huge));
    ck_assert(!viommu_overlay_measure(fd, VIOMMU_DISK_FORMAT_QCOW2, &bytes, NULL));
    close(fd);
    fd = open_base("", 0);
    ck_assert(!viommu_overlay_measure(fd, VIOMMU_DISK_FORMAT_RAW, &bytes, NULL));
    ck_assert(!viommu_overlay_measure(fd, VIOMMU_DISK_FORMAT_QCOW2, &bytes, NULL));
    close(fd);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("overlay");

    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, the_base_is_not_opened);
    tcase_add_test(all, its_words);
    tcase_add_test(all, no_program);
    tcase_add_test(all, sizes);
    return unit_run_case("overlay", all);
}
