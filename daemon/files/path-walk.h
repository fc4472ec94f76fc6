/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* path-walk: from the root to a file, component by component, with what a user may on the way.
 * Does not open the file for reading; does not know what it is for. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>
#include "daemon/files/unix-user.h"
#include "daemon/files/mounts.h"

typedef struct ViommuWalk {
    int fd; /* O_PATH, on the file itself; owned */
    struct stat info;
    bool fixed; /* only root, or we, can make the path mean another file */
} ViommuWalk;

/* For whom; borrowed. */
typedef struct ViommuWalker {
    const ViommuAccount *account; /* NULL: nobody's rights are looked at */
    /* of this process: which must allow every step.  NULL: not looked at */
    const ViommuMounts *mounts;
} ViommuWalker;

/** Walks @path, which is absolute.  The account must be allowed to search every directory, and
 *  @bits of the file.  Fails: POLICY_REFUSED for "..", a symbolic link on the way or at its end,
 *  what the account may not, and a file system that is none for guests' files; INVALID_REQUEST when
 *  it cannot be seen from here. */
bool viommu_walk(const char *path, const ViommuWalker *walker, unsigned bits, ViommuWalk *ret_walk,
                 GError **error);
/** A path by which the file that @fd is open on can be opened again. */
char *viommu_walk_magic_path(int fd);
