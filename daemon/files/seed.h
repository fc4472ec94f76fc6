/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed: what a guest is told at its first start: its name, and whose key opens it, or whatever its
 * owner wants to tell.  For cloud-init as a small read-only disk (NoCloud: ISO 9660 with the label
 * "cidata"), for Ignition as a file.  Knows these formats; does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>

/* The most of the owner's own user-data. */
#define VIOMMU_SEED_DATA_MAX ((size_t)1 << 20)

/* All borrowed. */
typedef struct ViommuSeed {
    bool is_ignition;
    const char *instance; /* another one makes the guest read its seed again: the machine's UUID */
    const char *hostname;
    const char *user;
    const char *const *ssh_keys; /* public; NULL: none */
    GBytes *data;                /* the owner's own, in place of user and keys; NULL: none */
} ViommuSeed;

/** The user-data of @seed, from keys and user, or the owner's own.  Owned. */
GBytes *viommu_seed_user_data(const ViommuSeed *seed);
/** Reads user-data from @fd, from its beginning.  Blocks.  Owned.  Fails: INVALID_REQUEST when it
 *  is no regular file, empty or above the limit. */
GBytes *viommu_seed_read_data(int fd, GError **error);
/** Makes the new file @path, for its owner alone.  Blocks.  Fails: BACKEND, also if the file
 *  exists. */
bool viommu_seed_make(const ViommuSeed *seed, const char *path, GError **error);
