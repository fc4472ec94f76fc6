/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/bus/polkit.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Only versions that read rules. */
static const char *const polkitds[] = {"/usr/lib/polkit-1/polkitd", "/usr/libexec/polkitd"};
static GPid polkit_pid;

static const char *find_polkitd(void)
{
    for (size_t i = 0; i < G_N_ELEMENTS(polkitds); i++)
        if (g_file_test(polkitds[i], G_FILE_TEST_IS_EXECUTABLE))
            return polkitds[i];
    return NULL;
}

static bool can_unshare(void)
{
    int status = 0;

    return g_spawn_command_line_sync("unshare -m true", NULL, NULL, &status, NULL) && status == 0;
}

void polkit_end(void)
{
    if (!polkit_pid)
        return;
    kill(polkit_pid, SIGTERM);
    waitpid(polkit_pid, NULL, 0);
    polkit_pid = 0;
}

static char *write_below(const char *directory, const char *name, const char *text)
{
    char *path = g_build_filename(directory, name, NULL);

    ck_assert(g_file_set_contents(path, text, -1, NULL));
    g_chmod(path, 0644);
    return path;
}

/* What is installed on this machine must not matter: polkitd gets a file system view of its own,
 * with viommud's actions and @rule alone. */
static void write_polkit(const char *directory, const char *rule)
{
    g_autofree char *policy = NULL, *text = g_strdup_printf("polkit.addRule(function(action, subject) {\n"
                                                            "var there = '%s';\n%s\n});\n",
                                                            directory, rule);

    ck_assert_int_eq(g_mkdir(directory, 0777), 0);
    ck_assert_int_eq(g_chmod(directory, 0777), 0);
    ck_assert(g_file_get_contents(BUS_CONF "/org.viommu1.policy", &policy, NULL, NULL));
    g_free(write_below(directory, "org.viommu1.policy", policy));
    g_free(write_below(directory, "test.rules", text));
}

static bool has_polkit(Harness *harness)
{
    g_autoptr(sd_bus_message) reply = NULL;
    int owned = 0;

    return sd_bus_call_method(harness->bus, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                              "org.freedesktop.DBus", "NameHasOwner", NULL, &reply, "s",
                              "org.freedesktop.PolicyKit1") >= 0 &&
           sd_bus_message_read(reply, "b", &owned) > 0 && owned;
}

void polkit_start(Harness *harness, const char *rule)
{
    static const char script[] =
        "for at in /usr/share/polkit-1/actions /usr/share/polkit-1/rules.d "
        "/etc/polkit-1/rules.d; do test ! -d $at || mount --bind \"$1\" $at || exit 1; done\n"
        "exec \"$2\" --no-debug";
    g_autofree char *directory = g_build_filename(harness->directory, "polkit", NULL);
    const char *arguments[] = {"unshare", "-m",      "sh",           "-c", script,
                               "polkitd", directory, find_polkitd(), NULL};
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    g_auto(GStrv) environment =
        g_environ_setenv(g_get_environ(), "DBUS_SYSTEM_BUS_ADDRESS", harness->address, TRUE);
    g_autoptr(GError) error = NULL;

    write_polkit(directory, rule);
    ck_assert_msg(g_spawn_async(NULL, (char **)arguments, environment,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &polkit_pid,
                                &error),
                  "%s", error ? error->message : "");
    atexit(polkit_end);
    while (!has_polkit(harness)) {
        ck_assert_msg(waitpid(polkit_pid, NULL, WNOHANG) == 0, "polkitd ended");
        ck_assert_msg(g_get_monotonic_time() < end, "polkitd does not take its name");
        g_usleep(5000);
    }
}

void polkit_touch(Harness *harness, const char *name)
{
    g_autofree char *path = g_build_filename(harness->directory, "polkit", name, NULL);

    ck_assert(g_file_set_contents(path, "", 0, NULL));
}

void polkit_untouch(Harness *harness)
{
    static const char *const names[] = {"go", "asked"};

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++) {
        g_autofree char *path = g_build_filename(harness->directory, "polkit", names[i], NULL);
        ck_assert_int_eq(g_remove(path), 0);
    }
}

void polkit_wait(Harness *harness, const char *name)
{
    g_autofree char *path = g_build_filename(harness->directory, "polkit", name, NULL);
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;

    while (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        ck_assert_msg(g_get_monotonic_time() < end, "polkit is not asked");
        g_usleep(5000);
    }
}

const char *polkit_obstacle(void)
{
    if (!find_polkitd())
        return "polkitd is not installed, or is too old for rules";
    return can_unshare() ? NULL : "polkitd needs a mount namespace of its own, and 'unshare -m' fails";
}
