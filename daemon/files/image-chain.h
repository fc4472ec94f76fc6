/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-chain: the further files of a qcow2 image: its backing files, theirs, and external data
 * files. Knows the site's rules for them; does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/files/path-walk.h"
#include "lib/domain/qcow2-header.h"

typedef struct ViommuChainRules {
    const char *const *directories; /* directories that may have such files of an account */
    /* the account must have read access; NULL: a user's own daemon, where neither is checked */
    ViommuWalker walker;
} ViommuChainRules;

/* The image at the beginning. */
typedef struct ViommuChainImage {
    const char *path; /* its display name */
    int fd;
    bool writable; /* the guest writes to it */
} ViommuChainImage;

/** An array of descriptors, of int; -1: none.  Closes them when it is freed.  Owned. */
GArray *viommu_chain_fds_new(void);
/** Reads the header of the qcow2 image @fd, and leaves its file offset.  Blocks.  @ret_image: clear
 *  it.  Fails: INVALID_REQUEST. */
bool viommu_chain_read_header(int fd, ViommuImage *ret_image, GError **error);
/** Reads the headers of @image and of all its backing files.  Blocks.  *ret_backing: of
 *  ViommuHandoverBacking, owned; *ret_fds: of int, owned: the same files, open for reading where
 *  possible. Fails: INVALID_REQUEST for an invalid image; POLICY_REFUSED for a file outside the
 *  directories, one that somebody could replace, or one that the account may not read. */
bool viommu_chain_follow(const ViommuChainRules *rules, const ViommuChainImage *image,
                         GPtrArray **ret_backing, GArray **ret_fds, GError **error);
