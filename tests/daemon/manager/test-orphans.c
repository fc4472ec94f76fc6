/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-orphans: guests that libvirt has forgotten are found, whatever other files there are, and
 * their names stay reserved. */
#include "tests/daemon/fixture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>
#include "daemon/manager/orphans.h"

#define UUID   "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"
#define OTHER  "1f2f8ea5-53c4-4e22-a2b0-0123456789ab"
#define PREFIX "viommu-"
#define GUEST  "qemu-system-x86_64\0-name\0guest=x\0-uuid\0"

/* --- A host made of a few files --- */

static void write_below(const char *root, const char *path, const char *text, gsize size)
{
    g_autofree char *whole = g_build_filename(root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(whole);
    GError *error = NULL;

    ck_assert_int_eq(g_mkdir_with_parents(directory, 0755), 0);
    unit_assert_ok(g_file_set_contents(whole, text, (gssize)size, &error), error);
}

static void add_pid(const char *root, const char *file, const char *text)
{
    g_autofree char *path = g_strdup_printf("qemu/%s", file);

    write_below(root, path, text, strlen(text));
}

static void add_process(const char *root, unsigned pid, const char *uuid)
{
    g_autofree char *path = g_strdup_printf("proc/%u/cmdline", pid);
    g_autoptr(GString) line = g_string_new_len(GUEST, sizeof(GUEST) - 1);

    g_string_append_len(line, uuid, (gssize)strlen(uuid) + 1);
    write_below(root, path, line->str, line->len);
}

static void assert_found(Fixture *fixture, const char *name, uint64_t pid)
{
    g_autoptr(GPtrArray) found = viommu_orphans_find(fixture->backend, fixture->directory, "qemu", PREFIX);
    const ViommuOrphan *orphan;

    ck_assert_uint_eq(found->len, name != NULL);
    if (!name)
        return;
    orphan = g_ptr_array_index(found, 0);
    ck_assert_str_eq(orphan->name, name);
    ck_assert_str_eq(orphan->uuid, UUID);
    ck_assert_uint_eq(orphan->pid, pid);
}

START_TEST(a_guest_that_libvirt_does_not_know)
{
    g_auto(Fixture) fixture = {0};

    fixture_begin(&fixture);
    assert_found(&fixture, NULL, 0);
    add_pid(fixture.directory, PREFIX "one.pid", "41\n");
    /* Its process does not exist (any more). */
    assert_found(&fixture, NULL, 0);
    add_process(fixture.directory, 41, UUID);
    assert_found(&fixture, "one", 41);
    /* A guest that libvirt knows is no orphan. */
    (void)fake_add("one", UUID, NULL, true);
    assert_found(&fixture, NULL, 0);
    fake_forget(UUID);
    assert_found(&fixture, "one", 41);
    /* Another process has the number by now. */
    add_process(fixture.directory, 41, OTHER);
    (void)fake_add("other", OTHER, NULL, true);
    assert_found(&fixture, NULL, 0);
}
END_TEST

/* Files beside that of a guest: name and text. */
static const struct {
    const char *file, *text;
} others[] = {
    {"another-one.pid", "42"},
    {PREFIX "one.xml", "42"},
    {PREFIX "two.pid", ""},
    {PREFIX "two.pid", "-42"},
    {PREFIX "two.pid", "0"},
    {PREFIX "two.pid", "forty-two"},
    {PREFIX "two.pid", "42 42"},
    {PREFIX "two.pid", "2147483648"},
    {PREFIX "two.pid", "00000000000000000000000000000000042"},
};

START_TEST(what_else_lies_there)
{
    for (size_t i = 0; i < G_N_ELEMENTS(others); i++) {
        g_auto(Fixture) fixture = {0};

        fixture_begin(&fixture);
        add_process(fixture.directory, 41, UUID);
        add_process(fixture.directory, 42, OTHER);
        add_process(fixture.directory, 43, "no UUID, which is as long as one ....");
        add_pid(fixture.directory, PREFIX "one.pid", "41\n");
        add_pid(fixture.directory, PREFIX "three.pid", "43\n");
        add_pid(fixture.directory, others[i].file, others[i].text);
        assert_found(&fixture, "one", 41);
    }
}
END_TEST

/* --- The host itself --- */

static void lead_group(void *unused)
{
    (void)setpgid(0, 0);
}

/* The program runs a moment before the kernel shows its arguments. */
static void wait_for_words(pid_t pid)
{
    g_autofree char *path = g_strdup_printf("/proc/%d/cmdline", pid);

    for (unsigned i = 0; i < 5000; i++) {
        g_autofree char *words = NULL;
        gsize length = 0;

        if (g_file_get_contents(path, &words, &length, NULL) && length > 0 && strstr(words, "/bin/sh"))
            return;
        g_usleep(1000);
    }
    ck_abort_msg("process %d has no words", pid);
}

/* A process that looks like a guest. */
static pid_t start_guest(void)
{
    const char *arguments[] = {"/bin/sh", "-c", "sleep 60; exit", "-uuid", UUID, NULL};
    GError *error = NULL;
    GPid pid;

    unit_assert_ok(g_spawn_async(NULL, (char **)arguments, NULL,
                                 G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, lead_group, NULL,
                                 &pid, &error),
                   error);
    wait_for_words(pid);
    return pid;
}

static void end_guest(pid_t pid)
{
    ck_assert_int_eq(kill(-pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

START_TEST(a_guest_lives_as_long_as_its_process)
{
    pid_t pid = start_guest();
    const ViommuOrphan orphan = {.pid = (uint64_t)pid};

    ck_assert(viommu_orphan_lives(&orphan));
    end_guest(pid);
    ck_assert(!viommu_orphan_lives(&orphan));
}
END_TEST

static bool has_own_run; /* an empty /run of its own */

static void make_own_run(void)
{
    has_own_run = unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
                  mount("none", "/run", "tmpfs", 0, "mode=755") == 0;
    if (!has_own_run)
        g_print("skipped: a_name_that_is_in_use: no mount namespace of its own: %s\n", g_strerror(errno));
}

#define ONE "{'name': <'one'>, 'iommu': <{'is-supported': <true>}>}"

static void note_guest(const char *name, pid_t pid)
{
    g_autofree char *file = g_strdup_printf("%s/" PREFIX "%s.pid", VIOMMU_ORPHANS_DIRECTORY, name);
    g_autofree char *text = g_strdup_printf("%d\n", pid);

    write_below("/", file, text, strlen(text));
}

/* The system's viommud finds them when it lists the domains; a name is free when its guest has
 * ended. */
START_TEST(a_name_that_is_in_use)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    g_autofree char *words = NULL;
    pid_t pid;

    if (!has_own_run)
        return;
    pid = start_guest();
    words = g_strdup_printf(
        "libvirt has forgotten an earlier machine 'one', whose guest runs on as process %d", pid);
    fixture_begin(&fixture);
    /* As in the system's viommud. */
    fixture.config->policy.name_prefix = PREFIX;
    fixture.config->policy.nvram_directory = fixture.directory;
    note_guest("one", pid);
    fixture_manage(&fixture);
    fixture_launch(&fixture, ONE, &answer);
    assert_fails(&answer, VIOMMU_ERROR_EXISTS, words);
    /* Found again, it is not reported twice, and stays. */
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_settle(&fixture);
    answer_clear(&answer);
    fixture_launch(&fixture, ONE, &answer);
    assert_fails(&answer, VIOMMU_ERROR_EXISTS, words);
    end_guest(pid);
    answer_clear(&answer);
    fixture_launch(&fixture, ONE, &answer);
    assert_went_well(&answer);
}
END_TEST

int main(void)
{
    static const TTest *tests[4];

    tests[0] = a_guest_that_libvirt_does_not_know;
    tests[1] = what_else_lies_there;
    tests[2] = a_guest_lives_as_long_as_its_process;
    tests[3] = a_name_that_is_in_use;
    /* Before another thread starts, which would keep the host's /run. */
    make_own_run();
    return unit_run("orphans", tests, G_N_ELEMENTS(tests));
}
