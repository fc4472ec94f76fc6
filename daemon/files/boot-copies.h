/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot-copies: viommud's own copies of files that libvirt could not be given by their paths, named
 * by the machine's UUID: so what is left of a machine can be found and removed by that alone.
 * Does not know why they are copied. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Of one file; no kernel or initrd that a machine boots is larger. */
#define VIOMMU_COPY_BYTES_MAX ((uint64_t)512 << 20)

typedef enum ViommuCopy {
    VIOMMU_COPY_KERNEL,
    VIOMMU_COPY_INITRD,
    VIOMMU_COPY_LAST,
} ViommuCopy;

/* What is copied: @fd, borrowed, from its beginning, and not more than @bytes, however long it has
 * become. */
typedef struct ViommuCopySource {
    int fd;
    uint64_t bytes;
} ViommuCopySource;

/** Where they are, of the system's viommud or of a user's own. Owned, g_free(). */
char *viommu_copies_directory(bool user);
/** How large the copy of what @fd is open on will be.  Fails: INVALID_REQUEST when it is empty or
 *  larger than a copy may be; BACKEND. */
bool viommu_copies_measure(int fd, uint64_t *ret_bytes, GError **error);
/** Where it is, once it is made. Owned, g_free(). */
char *viommu_copies_path(const char *directory, const char *uuid, ViommuCopy what);
/** Lets through to @directory, which is made when it is not there, the processes of group @group
 *  and no others: each copy is its QEMU's user's while the guest runs, and that user must not get
 *  at it.  Blocks.  Fails: BACKEND, saying what root can do. */
bool viommu_copies_guard(const char *directory, gid_t group, GError **error);
/** Copies @source; its holes stay holes, so a copy takes the room that its data needs.  Makes
 *  @directory when it is not there.  Blocks.  Fails: BACKEND when it cannot be read or written;
 *  INVALID_REQUEST as viommu_copies_measure(). */
bool viommu_copies_make(const char *directory, const char *uuid, ViommuCopy what,
                        const ViommuCopySource *source, GError **error);
/** Removes all copies of @uuid.  None is success.  Blocks.  Fails: INTERNAL. */
bool viommu_copies_remove(const char *directory, const char *uuid, GError **error);
/** Of which UUIDs there are copies: UUID -> uint64_t, how large they are
 *  together.  Blocks.  Owned. */
GHashTable *viommu_copies_list(const char *directory);
