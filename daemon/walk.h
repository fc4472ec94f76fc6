/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* walk: from the root to a file, component by component, with what a user may on the way.  Does not open the file for
 * reading; does not know what it is for. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <sys/stat.h>
#include "daemon/account.h"

typedef struct ViommuWalk {
    int fd; /* O_PATH, on the file itself; owned */
    struct stat info;
    bool fixed; /* only root, or we, can make the path mean another file */
} ViommuWalk;

/** Walks @path, which is absolute.  @account: must be allowed to search every directory, and @bits of the file; NULL: nobody's
 *  rights are looked at.
 *  Fails: POLICY_REFUSED for "..", a symbolic link on the way or at its end, and what @account may not; INVALID_REQUEST
 *  when it cannot be seen from here. */
bool viommu_walk(const char *path, const ViommuAccount *account, unsigned bits, ViommuWalk *ret_walk,
                 GError **error);
/** A path by which the file that @fd is open on can be opened again. */
char *viommu_walk_magic_path(int fd);
