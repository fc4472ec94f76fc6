/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts: the mounts of a namespace, and whether a guest may have a file there: its file system
 * must store files, respond, and be mounted by root.  Asks only the kernel, so that no file system
 * can block it.  Does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct ViommuMounts ViommuMounts;

/** The host's own namespace, that of process 1.  Owned.  Fails: BACKEND when it cannot be read. */
ViommuMounts *viommu_mounts_of_host(GError **error);
/** The namespace of this process.  Owned.  Fails: BACKEND. */
ViommuMounts *viommu_mounts_of_self(GError **error);
void viommu_mounts_free(ViommuMounts *mounts);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuMounts, viommu_mounts_free)

/** Whether the file @fd is on one of @mounts, and that file system may hold guests' files.  Fails:
 *  POLICY_REFUSED, and says where the file is. */
bool viommu_mounts_check(const ViommuMounts *mounts, int fd, GError **error);
