/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-chain: the files that a qcow2 image brings along: its backing files, and theirs, and files
 * with the data of any of them.  Knows the site's rules for those; does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/files/path-walk.h"

typedef struct ViommuChainRules {
    const char *const *directories; /* where such files may be */
    /* its account must be allowed to read them; NULL: a user's own daemon, which is */
    ViommuWalker walker;
} ViommuChainRules;

/* Where it begins. */
typedef struct ViommuChainImage {
    const char *path; /* what it is called */
    int fd;
    bool writable; /* it will be written to */
} ViommuChainImage;

/** An array of open files, of int; -1: none.  Closes them when it is freed. Owned. */
GArray *viommu_chain_fds_new(void);
/** Reads the header of @image and of all that it is based on.  Blocks.  *ret_backing: of
 *  ViommuHandoverBacking, owned; *ret_fds: of int, owned: the same files, open for reading, as far
 *  as they are open.  Fails: INVALID_REQUEST when one is no such image; POLICY_REFUSED for a file
 *  that is not where it may be, that somebody could put another in the place of, or that the
 *  account may not read. */
bool viommu_chain_follow(const ViommuChainRules *rules, const ViommuChainImage *image,
                         GPtrArray **ret_backing, GArray **ret_fds, GError **error);
