/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-doctor-rights: whom doctor takes for shut out of a file: an access control list counts, as
 * on /dev/kvm.  Needs root, and lists in /tmp; else it is skipped. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "tools/doctor/internal.h"

#define LIST "system.posix_acl_access"

static char directory[] = "/tmp/viommu-rights-XXXXXX";
static char *path;

/* As setfacl writes it: the owner, a group, and the mask may read and write. */
static bool open_to(uint32_t group)
{
    const struct {
        uint32_t version;
        struct {
            uint16_t tag, bits;
            uint32_t id;
        } entries[5];
    } list = {GUINT32_TO_LE(2),
              {{GUINT16_TO_LE(0x01), GUINT16_TO_LE(6), UINT32_MAX},
               {GUINT16_TO_LE(0x04), 0, UINT32_MAX},
               {GUINT16_TO_LE(0x08), GUINT16_TO_LE(6), GUINT32_TO_LE(group)},
               {GUINT16_TO_LE(0x10), GUINT16_TO_LE(6), UINT32_MAX},
               {GUINT16_TO_LE(0x20), 0, UINT32_MAX}}};

    return setxattr(path, LIST, &list, sizeof(list), 0) == 0;
}

START_TEST(a_list_counts)
{
    const struct passwd *nobody = getpwnam("nobody");

    ck_assert_int_eq(chmod(path, 0660), 0);
    ck_assert(viommu_doctor_is_closed(nobody, path));
    ck_assert(open_to(nobody->pw_gid));
    ck_assert(!viommu_doctor_is_closed(nobody, path));
    ck_assert(open_to(nobody->pw_gid + 1));
    ck_assert(viommu_doctor_is_closed(nobody, path));
    ck_assert_int_eq(removexattr(path, LIST), 0);
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert(!viommu_doctor_is_closed(nobody, path));
}
END_TEST

START_TEST(a_file_that_is_none_is_closed)
{
    g_autofree char *none = g_build_filename(directory, "none", NULL);

    ck_assert(viommu_doctor_is_closed(getpwnam("nobody"), none));
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("doctor-rights");
    int status = 77;

    if (!g_mkdtemp(directory))
        return EXIT_FAILURE;
    path = g_build_filename(directory, "kvm", NULL);
    tcase_add_test(tcase, a_list_counts);
    tcase_add_test(tcase, a_file_that_is_none_is_closed);
    if (geteuid() == 0 && chmod(directory, 0755) == 0 && g_file_set_contents(path, "", 0, NULL) && open_to(0))
        status = unit_run_case("doctor-rights", tcase);
    (void)unlink(path);
    (void)rmdir(directory);
    g_free(path);
    return status;
}
