/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot-copies: viommud's own files of a machine: copies of files that libvirt must not get by their
 * paths, the guest's seed, and overlays of its disks.  They are named after the machine's UUID, so
 * that leftovers can be found and removed by their names alone, which also have the size that a
 * guest sees of an overlay.  Does not know why they are made; copies, and leaves the other files to
 * their makers. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The most for one file; no bootable kernel or initrd is larger. */
#define VIOMMU_COPY_BYTES_MAX ((uint64_t)512 << 20)

typedef enum ViommuCopy {
    VIOMMU_COPY_KERNEL,
    VIOMMU_COPY_INITRD,
    VIOMMU_COPY_LAST,
} ViommuCopy;

/* What the files of a machine take. */
typedef struct ViommuCopiesSize {
    uint64_t bytes;         /* of copies and seeds */
    uint64_t overlay_bytes; /* what the guest sees of its overlays, written or not */
} ViommuCopiesSize;

/* What to copy: the file @fd, borrowed, from its beginning, at most @bytes, even if it has
 * grown. */
typedef struct ViommuCopySource {
    int fd;
    uint64_t bytes;
} ViommuCopySource;

/** The directory of the system's viommud, or of a user's own.  Owned, g_free(). */
char *viommu_copies_directory(bool user);
/** The size of a copy of the file @fd.  Fails: INVALID_REQUEST when it is empty or above the limit;
 *  BACKEND. */
bool viommu_copies_measure(int fd, uint64_t *ret_bytes, GError **error);
/** The path of a copy.  Owned, g_free(). */
char *viommu_copies_path(const char *directory, const char *uuid, ViommuCopy what);
/** The path of the overlay of disk @i, of which the guest sees @bytes; and of the seed.  Owned,
 *  g_free(). */
char *viommu_copies_overlay_path(const char *directory, const char *uuid, unsigned i, uint64_t bytes);
char *viommu_copies_seed_path(const char *directory, const char *uuid);
/** Creates @directory if needed.  Fails: BACKEND. */
bool viommu_copies_make_directory(const char *directory, GError **error);
/** Whether the file system of @directory, which is created if needed, has more than @reserve_bytes
 *  free for viommud.  Blocks.  Fails: BUSY when it has not; BACKEND. */
bool viommu_copies_check_room(const char *directory, uint64_t reserve_bytes, GError **error);
/** What viommud may still write to the file system of @directory.  Blocks.  False: it cannot be
 *  seen. */
bool viommu_copies_measure_room(const char *directory, uint64_t *ret_free_bytes);
/** What the overlays in @directory take of its file system: UUID -> uint64_t.  Blocks.  Owned. */
GHashTable *viommu_copies_measure_overlays(const char *directory);
/** Lets processes of group @group, and no others, into @directory, which is created if needed: a
 *  copy belongs to its QEMU's user while the guest runs, and that user must not open it.  Blocks.
 *  Fails: BACKEND, and says what root can do. */
bool viommu_copies_guard(const char *directory, gid_t group, GError **error);
/** Copies @source and keeps its holes, so that a copy needs no more room than its data.  Creates
 *  @directory if needed.  Blocks.  Fails: BACKEND when reading or writing fails; INVALID_REQUEST
 *  like viommu_copies_measure(). */
bool viommu_copies_make(const char *directory, const char *uuid, ViommuCopy what,
                        const ViommuCopySource *source, GError **error);
/** Removes all files of @uuid, if there are any, and what they contain, even if they are still open
 *  somewhere; its guest must have ended.  Blocks.  Fails: INTERNAL. */
bool viommu_copies_remove(const char *directory, const char *uuid, GError **error);
/** The existing files: UUID -> ViommuCopiesSize, of all its files.  Blocks.  Owned. */
GHashTable *viommu_copies_list(const char *directory);
