/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path-walk: takes each step from the directory that was checked, so nothing can be replaced in
 * between. */
#include "daemon/files/path-walk.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/domain/qcow2-header.h"

char *viommu_walk_magic_path(int fd)
{
    return g_strdup_printf("/proc/self/fd/%d", fd);
}

/* Then the mode bits do not tell everything; they may even show more than the list allows. */
static bool has_access_list(int fd)
{
    g_autofree char *path = viommu_walk_magic_path(fd);

    return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static bool may(const ViommuAccount *account, const ViommuWalk *walk, unsigned bits, const char *path,
                GError **error)
{
    const char *what = bits & VIOMMU_MAY_SEARCH  ? "search"
                       : bits & VIOMMU_MAY_WRITE ? "read and write"
                                                 : "read";

    if (!account || viommu_account_uid(account) == 0)
        return true;
    /* No user may search it: this is how a sandbox hides a directory. */
    if ((bits & VIOMMU_MAY_SEARCH) && (walk->info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot search '%s'", path);
    if (has_access_list(walk->fd))
        return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                           "'%s' has an access control list, which viommud does not read", path);
    if (viommu_account_may(account, &walk->info, bits))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED, "user %u may not %s '%s'",
                       viommu_account_uid(account), what, path);
}

/* Checked before any call to the file system, which may never respond. */
static bool is_allowed(const ViommuMounts *mounts, int fd, const char *path, GError **error)
{
    if (!mounts || viommu_mounts_check(mounts, fd, error))
        return true;
    g_prefix_error(error, "'%s': ", path);
    return false;
}

bool viommu_walk_is_safe(const ViommuWalker *walker, const struct stat *info)
{
    bool ours = info->st_uid == 0 || info->st_uid == geteuid() || info->st_uid == walker->daemon_uid;

    return ours && (info->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Steps from the directory of @walk to @name in it; @path is the whole path, for messages. */
static bool step(ViommuWalk *walk, const ViommuWalker *walker, const char *name, const char *path,
                 GError **error)
{
    int fd = openat(walk->fd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    walk->fixed = walk->fixed && viommu_walk_is_safe(walker, &walk->info);
    if (fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot see '%s': %s", path,
                           g_strerror(errno));
    if (!is_allowed(walker->mounts, fd, path, error) || fstat(fd, &walk->info) < 0) {
        if (error && !*error)
            viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot see '%s': %s", path,
                        g_strerror(errno));
        close(fd);
        return false;
    }
    close(walk->fd);
    walk->fd = fd;
    if (!S_ISLNK(walk->info.st_mode))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                       "'%s' is a symbolic link; name the file that it points to", path);
}

static bool walk_all(ViommuWalk *walk, char *const *names, const ViommuWalker *walker, unsigned bits,
                     GError **error)
{
    const ViommuAccount *account = walker->account;
    g_autoptr(GString) path = g_string_new(NULL);

    for (size_t i = 0; names[i]; i++) {
        if (names[i][0] == '\0')
            continue;
        if (!may(account, walk, VIOMMU_MAY_SEARCH, path->len > 0 ? path->str : "/", error))
            return false;
        g_string_append_printf(path, "/%s", names[i]);
        if (!step(walk, walker, names[i], path->str, error))
            return false;
    }
    return may(account, walk, bits, path->len > 0 ? path->str : "/", error);
}

bool viommu_walk(const char *path, const ViommuWalker *walker, unsigned bits, ViommuWalk *ret_walk,
                 GError **error)
{
    ViommuWalk walk = {.fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), .fixed = true};
    g_auto(GStrv) names = g_strsplit(path, "/", -1);

    if (walk.fd < 0 || fstat(walk.fd, &walk.info) < 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot open '/': %s", g_strerror(errno));
    if (viommu_image_goes_up(path))
        viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED, "'%s' contains '..'; name the file directly", path);
    else if (walk_all(&walk, names, walker, bits, error)) {
        *ret_walk = walk;
        return true;
    }
    close(walk.fd);
    return false;
}
