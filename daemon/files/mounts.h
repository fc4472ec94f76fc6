/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts: what is mounted in a mount namespace, and whether a file there is one that a guest may
 * have: of a file system that keeps files, that answers, and that nobody but root put there.  Asks
 * the kernel alone: no file system can make it wait.  Does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct ViommuMounts ViommuMounts;

/** The host's own namespace, which is process 1's.  Owned.  Fails: BACKEND when it cannot be
 *  read. */
ViommuMounts *viommu_mounts_of_host(GError **error);
/** The namespace of this process. Owned.  Fails so, too. */
ViommuMounts *viommu_mounts_of_self(GError **error);
void viommu_mounts_free(ViommuMounts *mounts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuMounts, viommu_mounts_free)

/** Whether the file that @fd is open on is on one of @mounts, and a guest may have files of there.
 *  Fails: POLICY_REFUSED, saying where it is. */
bool viommu_mounts_check(const ViommuMounts *mounts, int fd, GError **error);
