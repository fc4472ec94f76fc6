/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* chain: the files that a qcow2 image brings along: its backing files, and theirs, and files with the data of any of them.
 * Knows the site's rules for those; does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/account.h"

typedef struct ViommuChainRules {
    const char *const *directories; /* where such files may be */
    const ViommuAccount *account; /* who must be allowed to read them; NULL: a user's own daemon, which is */
} ViommuChainRules;

/** Reads the header of the image that @fd is open on, called @path, and of all that it is based on.  Blocks.
 *  @writable: the image will be written to.
 *  *ret_backing: of ViommuHandoverBacking, owned.
 *  Fails: INVALID_REQUEST when one is no such image; POLICY_REFUSED for a file that is not where it may be, that somebody could put another in the
 *  place of, or that the account may not read. */
bool viommu_chain_follow(const ViommuChainRules *rules, const char *path, int fd, bool writable,
                         GPtrArray **ret_backing, GError **error);
