/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-console-lock: the name of libvirt's terminal lock: reserved before libvirt reads it, and
 * refused when somebody else has it. */
#include "tests/unit/unit.h"

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/libvirt/console-lock.h"
#include "lib/domain/console.h"
#include "lib/base/error.h"

#define TERMINAL "/dev/pts/3"
#define NAME     "LCK.._pts_3"
#define NOBODY   65534

static char *directory, *lock;

static bool take(char **ret_path, GError **error)
{
    return viommu_console_lock_take(directory, TERMINAL, ret_path, error);
}

START_TEST(a_free_name_is_taken)
{
    g_autofree char *path = NULL, *text = NULL;

    ck_assert(take(&path, NULL));
    ck_assert_str_eq(path, lock);
    ck_assert(g_file_get_contents(lock, &text, NULL, NULL));
    ck_assert_str_eq(text, "");
    viommu_console_lock_release(g_steal_pointer(&path));
    ck_assert_int_ne(g_access(lock, F_OK), 0);
    viommu_console_lock_release(NULL);
}
END_TEST

START_TEST(a_lock_of_libvirts_is_left)
{
    char *path = NULL;

    ck_assert(g_file_set_contents(lock, "         1\n", -1, NULL));
    ck_assert(take(&path, NULL));
    ck_assert_ptr_null(path);
    ck_assert_int_eq(g_unlink(lock), 0);
}
END_TEST

static void is_refused(const char *why)
{
    g_autoptr(GError) error = NULL;
    char *path = NULL;

    ck_assert(!take(&path, &error));
    ck_assert_ptr_null(path);
    ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND));
    ck_assert_msg(strstr(error->message, why), "%s", error->message);
    ck_assert_int_eq(g_unlink(lock), 0);
}

START_TEST(what_libvirt_would_wait_for_is_not_opened)
{
    ck_assert_int_eq(mkfifo(lock, 0666), 0);
    is_refused("might wait for it forever");
    ck_assert_int_eq(symlink("/dev/zero", lock), 0);
    is_refused("might wait for it forever");
    /* A stranger's lock may name a live process. */
    ck_assert(g_file_set_contents(lock, "1\n", -1, NULL));
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(lock, NOBODY, (gid_t)-1), 0);
        is_refused("user 65534");
    } else {
        g_unlink(lock);
    }
}
END_TEST

START_TEST(where_only_root_writes_nothing_is_done)
{
    char *path = NULL;

    ck_assert_int_eq(g_chmod(directory, 0755), 0);
    ck_assert(take(&path, NULL));
    ck_assert_ptr_null(path);
    ck_assert_int_ne(g_access(lock, F_OK), 0);
    ck_assert(viommu_console_lock_take("/nowhere", TERMINAL, &path, NULL));
    ck_assert_int_eq(g_chmod(directory, 01777), 0);
}
END_TEST

START_TEST(the_terminal_is_in_the_xml)
{
    g_autofree char *terminal = viommu_domain_console_terminal(
        "<domain><devices><console><source path='/dev/pts/1'/></console>"
        "<serial type='pty'><source path='/dev/pts/3'/></serial></devices></domain>");
    g_autofree char *other = viommu_domain_console_terminal(
        "<domain><devices><console type='pty'><source path='/dev/pts/1'/></console></devices></domain>");

    ck_assert_str_eq(terminal, TERMINAL);
    ck_assert_str_eq(other, "/dev/pts/1");
    ck_assert_ptr_null(viommu_domain_console_terminal("<domain><devices><serial/></devices></domain>"));
    ck_assert_ptr_null(viommu_domain_console_terminal("<domain/>"));
    ck_assert_ptr_null(viommu_domain_console_terminal("no domain"));
}
END_TEST

int main(void)
{
    static const TTest *tests[5];
    int status;

    tests[0] = a_free_name_is_taken;
    tests[1] = a_lock_of_libvirts_is_left;
    tests[2] = what_libvirt_would_wait_for_is_not_opened;
    tests[3] = where_only_root_writes_nothing_is_done;
    tests[4] = the_terminal_is_in_the_xml;
    directory = g_dir_make_tmp("viommu-console-lock.XXXXXX", NULL);
    lock = g_build_filename(directory, NAME, NULL);
    if (g_chmod(directory, 01777) < 0)
        return EXIT_FAILURE;
    status = unit_run("console-lock", tests, G_N_ELEMENTS(tests));
    if (g_rmdir(directory) < 0)
        status = EXIT_FAILURE; /* something is left */
    g_free(directory);
    g_free(lock);
    return status;
}
