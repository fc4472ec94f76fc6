/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-mounts: which file systems may hold a guest's files; the test mounts them in a namespace of
 * its own. */
#include "daemon/files/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>
#include "tests/unit/unit.h"

static bool has_namespace;
static char *place;

static void set_up(void)
{
    place = g_dir_make_tmp("viommu-mounts-XXXXXX", NULL);
}

static void take_down(void)
{
    (void)umount2(place, MNT_DETACH);
    g_rmdir(place);
    g_clear_pointer(&place, g_free);
}

/* NULL: allowed; otherwise the reason.  Owned. */
static char *judge(const ViommuMounts *mounts, int fd)
{
    g_autoptr(GError) error = NULL;
    bool may;

    ck_assert_int_ge(fd, 0);
    may = viommu_mounts_check(mounts, fd, &error);
    close(fd);
    ck_assert_int_eq(may, error == NULL);
    if (may)
        return NULL;
    ck_assert_int_eq(error->code, VIOMMU_ERROR_POLICY_REFUSED);
    return g_strdup(error->message);
}

static char *judge_path(const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuMounts) mounts = viommu_mounts_of_self(&error);

    unit_assert_ok(mounts != NULL, error);
    return judge(mounts, open(path, O_PATH | O_CLOEXEC));
}

static void assert_refused(const char *words, const char *why)
{
    ck_assert_msg(words && strstr(words, why), "%s", words ? words : "it may");
}

START_TEST(what_is_no_storage)
{
    g_autoptr(ViommuMounts) mounts = viommu_mounts_of_self(NULL);
    g_autofree char *proc = judge_path("/proc/self/status"), *memory = NULL;

    assert_refused(proc, "it is on file system 'proc', which does not hold files for guests");
    memory = judge(mounts, memfd_create("memory", MFD_CLOEXEC));
    assert_refused(memory, "it is not on a file system of the host's own mount namespace");
}
END_TEST

START_TEST(what_was_mounted_later)
{
    g_autoptr(ViommuMounts) before = viommu_mounts_of_self(NULL);
    g_autofree char *earlier = NULL, *now = NULL;

    if (!has_namespace)
        return;
    ck_assert_int_eq(mount("none", place, "tmpfs", 0, NULL), 0);
    earlier = judge(before, open(place, O_PATH | O_CLOEXEC));
    assert_refused(earlier, "host's own mount namespace");
    now = judge_path(place);
    ck_assert_msg(!now, "%s", now);
}
END_TEST

/* File systems that need no server: always allowed. */
static const struct {
    const char *options;
    bool may;
} programs[] = {
    {"user_id=0,group_id=0", true},
    {"user_id=1000,group_id=1000", false},
    {"user_id=1000,group_id=0", false},
};

START_TEST(what_a_program_serves)
{
    for (size_t i = 0; i < G_N_ELEMENTS(programs); i++) {
        int device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        g_autofree char *options = g_strdup_printf("fd=%d,rootmode=40000,%s", device, programs[i].options);
        g_autofree char *words = NULL;

        if (!has_namespace || device < 0 || mount("none", place, "fuse", 0, options) < 0) {
            g_print("skipped: what_a_program_serves: no file system by FUSE: %s\n", g_strerror(errno));
            return;
        }
        words = judge_path(place);
        if (programs[i].may)
            ck_assert_msg(!words, "%s", words);
        else
            assert_refused(words, "it is on a file system that a user's program serves (fuse)");
        close(device);
        ck_assert_int_eq(umount2(place, MNT_DETACH), 0);
    }
}
END_TEST

/* If the host's processes are hidden, so are its mounts. */
START_TEST(a_host_that_cannot_be_seen)
{
    g_autoptr(GError) error = NULL;

    if (!has_namespace)
        return;
    ck_assert_int_eq(mount("none", "/proc", "tmpfs", 0, NULL), 0);
    ck_assert_ptr_null(viommu_mounts_of_host(&error));
    ck_assert_int_eq(umount2("/proc", MNT_DETACH), 0);
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert_msg(strstr(error->message, "viommud cannot read '/proc/1/mountinfo'"), "%s", error->message);
}
END_TEST

int main(void)
{
    TCase *all = tcase_create("mounts");

    has_namespace = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
    if (!has_namespace)
        g_print("skipped, what is mounted: no mount namespace of its own: %s\n", g_strerror(errno));
    tcase_add_checked_fixture(all, set_up, take_down);
    tcase_add_test(all, what_is_no_storage);
    tcase_add_test(all, what_was_mounted_later);
    tcase_add_test(all, what_a_program_serves);
    tcase_add_test(all, a_host_that_cannot_be_seen);
    return unit_run_case("mounts", all);
}
