/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-lock: an empty file, which libvirt takes for the leftover of a dead process and
 * replaces. */
#include "daemon/libvirt/console-lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "lib/base/error.h"

#define DEVICES "/dev"

/* The name that libvirt makes of the terminal's path. */
static char *lock_path(const char *directory, const char *terminal)
{
    const char *name = g_str_has_prefix(terminal, DEVICES) ? terminal + strlen(DEVICES) : terminal;
    g_autofree char *flat = g_strdelimit(g_strdup(name), "/", '_');

    return g_strdup_printf("%s/LCK..%s", directory, flat);
}

static bool is_open_to_strangers(const char *directory)
{
    struct stat info;

    return stat(directory, &info) == 0 && (info.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

/* libvirt's own lock, or one that this code left. */
static bool is_ours(const char *path, GError **error)
{
    struct stat info;

    if (lstat(path, &info) < 0)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "'%s' keeps appearing and disappearing: %s", path,
                           g_strerror(errno));
    if (S_ISREG(info.st_mode) && (info.st_uid == 0 || info.st_uid == geteuid()))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_BACKEND,
        "libvirt would read '%s', which user %u created, and might wait for it forever; have root delete it, and find out why that user created it",
        path, info.st_uid);
}

bool viommu_console_lock_take(const char *directory, const char *terminal, char **ret_path, GError **error)
{
    g_autofree char *path = lock_path(directory, terminal);
    int fd;

    *ret_path = NULL;
    if (!is_open_to_strangers(directory))
        return true;
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd < 0 && errno == EEXIST)
        return is_ours(path, error);
    if (fd < 0)
        return viommu_fail(
            error, VIOMMU_ERROR_BACKEND,
            "viommud cannot create '%s', where any user could create a file that blocks libvirt: %s; let the service write there (ReadWritePaths=/run/lock)",
            path, g_strerror(errno));
    close(fd);
    *ret_path = g_steal_pointer(&path);
    return true;
}

void viommu_console_lock_release(char *path)
{
    /* If root has replaced the file, the sticky directory prevents this; otherwise nothing needs
     * it. */
    if (path)
        (void)unlink(path);
    g_free(path);
}
