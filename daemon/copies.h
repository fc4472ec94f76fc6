/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copies: viommud's own copies of files that libvirt could not be given by their paths, named by the machine's UUID: so what is
 * left of a machine can be found and removed by that alone.  Does not know why they are copied. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum ViommuCopy {
    VIOMMU_COPY_KERNEL,
    VIOMMU_COPY_INITRD,
    VIOMMU_COPY_LAST,
} ViommuCopy;

/** Where it is, once it is made. Owned, g_free(). */
char *viommu_copies_path(const char *directory, const char *uuid, ViommuCopy what);
/** Copies what @fd is open on, from its beginning.  Makes @directory when it is not there.  Blocks.  Fails: BACKEND when it cannot be
 *  read or written; INVALID_REQUEST when it is empty or too large. */
bool viommu_copies_make(const char *directory, const char *uuid, ViommuCopy what, int fd, GError **error);
/** Removes all copies of @uuid.  None is success.  Blocks.  Fails: INTERNAL. */
bool viommu_copies_remove(const char *directory, const char *uuid, GError **error);
/** The UUIDs of which there are copies, of char *.  Blocks. Owned. */
GPtrArray *viommu_copies_list(const char *directory);
