/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* harness-libvirt: a libvirtd for a scenario, which uses the test driver.  Knows no viommud. */
#include <glib/gstdio.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include "tests/bus/harness.h"

bool harness_has_libvirt(void)
{
    g_autofree char *libvirtd = g_find_program_in_path("libvirtd"),
                    *setpriv = g_find_program_in_path("setpriv");

    return libvirtd && setpriv;
}

/* A socket exists before it accepts connections. */
static bool takes_connections(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool taken;

    g_strlcpy(address.sun_path, path, sizeof(address.sun_path));
    taken = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0;
    close(fd);
    return taken;
}

char *harness_start_libvirt(Harness *harness)
{
    static const char *const ordinary[] = {"setpriv",        "--reuid=65534", "--regid=65534",
                                           "--clear-groups", "libvirtd",      NULL};
    g_autofree char *home = g_build_filename(harness->directory, "libvirt", NULL), *path = NULL;
    gint64 end = g_get_monotonic_time() + HARNESS_PATIENCE_USEC;
    const char *const *arguments = geteuid() == 0 ? ordinary : ordinary + 4;
    g_auto(GStrv) environment = g_get_environ();
    g_autoptr(GError) error = NULL;

    ck_assert_int_eq(harness->libvirt_pid, 0);
    g_mkdir(home, 0700);
    if (geteuid() == 0)
        ck_assert_int_eq(chown(home, 65534, 65534), 0);
    environment = g_environ_setenv(environment, "HOME", home, TRUE);
    environment = g_environ_setenv(environment, "XDG_RUNTIME_DIR", home, TRUE);
    path = g_build_filename(home, "libvirt", "libvirt-sock", NULL);
    g_remove(path);
    ck_assert_msg(g_spawn_async(NULL, (char **)arguments, environment,
                                G_SPAWN_SEARCH_PATH | G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL,
                                NULL, NULL, &harness->libvirt_pid, &error),
                  "%s", error ? error->message : "");
    while (!takes_connections(path)) {
        ck_assert_msg(waitpid(harness->libvirt_pid, NULL, WNOHANG) == 0, "libvirtd ended");
        ck_assert_msg(g_get_monotonic_time() < end, "libvirtd does not make its socket");
        g_usleep(5000);
    }
    return g_strdup_printf("test+unix:///default?socket=%s", path);
}

void harness_kill_libvirt(Harness *harness)
{
    kill(harness->libvirt_pid, SIGKILL);
    waitpid(harness->libvirt_pid, NULL, 0);
    harness->libvirt_pid = 0;
}
