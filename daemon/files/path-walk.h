/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path-walk: walks from the root to a file, component by component, and checks the user's rights on
 * the way.  Does not open the file for reading; does not know its use. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>
#include "daemon/files/unix-user.h"
#include "daemon/files/mounts.h"

typedef struct ViommuWalk {
    int fd; /* O_PATH, on the file itself; owned */
    struct stat info;
    bool fixed; /* only root, or the daemon's user, can make the path mean another file */
} ViommuWalk;

/* Whose rights are checked; borrowed. */
typedef struct ViommuWalker {
    const ViommuAccount *account; /* NULL: rights are not checked */
    /* of this process: each step must be on one that is allowed.  NULL: not checked */
    const ViommuMounts *mounts;
    /* trusted like root and this process's user; 0: nobody else */
    uid_t daemon_uid;
} ViommuWalker;

/** Walks @path, which is absolute.  The account must be allowed to search each directory, and must
 *  have @bits of the file.  Fails: POLICY_REFUSED for "..", a symbolic link on the way or at its
 *  end, missing rights, and a file system that may not hold guests' files; INVALID_REQUEST when the
 *  file is not visible here. */
bool viommu_walk(const char *path, const ViommuWalker *walker, unsigned bits, ViommuWalk *ret_walk,
                 GError **error);
/** Whether only those whom @walker trusts can change what @info is of. */
bool viommu_walk_is_safe(const ViommuWalker *walker, const struct stat *info);
/** A path by which the open file @fd can be opened again. */
char *viommu_walk_magic_path(int fd);
