/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* digest: the SHA-256 of an image, and a memory of those that were computed: an image of many
 * gigabytes is read once, not for each launch.  Does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* What a file was when it was looked at.  Its contents do not change without ctime. */
typedef struct ViommuFileState {
    uint64_t device, inode, bytes;
    int64_t mtime_nsec, ctime_nsec;
} ViommuFileState;

/* Between processes. */
#define VIOMMU_FILE_STATE_TYPE "(tttxx)"

/** False, with errno: the file does not tell. */
bool viommu_file_state_get(int fd, ViommuFileState *ret_state);
/** Whether it is the same file, and has not been written since: libvirt may change its owner, and
 *  with it ctime. */
bool viommu_file_state_is_same(const ViommuFileState *a, const ViommuFileState *b);
/** Floating. */
GVariant *viommu_file_state_to_variant(const ViommuFileState *state);
/** @value of that type. */
void viommu_file_state_from_variant(GVariant *value, ViommuFileState *ret_state);

/** "sha256:" and 64 hexadecimal digits, of all of @fd, whose offset stays.  Blocks for seconds for
 *  each gigabyte.  Owned.  Fails: INVALID_REQUEST. */
char *viommu_digest_compute(int fd, GError **error);

typedef struct ViommuDigests ViommuDigests;
/** A memory of the last few hundred.  Not locked: one thread.  Owned. */
ViommuDigests *viommu_digests_new(void);
void viommu_digests_free(ViommuDigests *digests);
/** The digest of a file in exactly this state, as a process of user @uid computed it; NULL: not
 *  known. Users do not rely on each other's processes.  Borrowed until the next note. */
const char *viommu_digests_find(const ViommuDigests *digests, uint32_t uid, const ViommuFileState *state);
void viommu_digests_note(ViommuDigests *digests, uint32_t uid, const ViommuFileState *state,
                         const char *digest);
