/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orphans: finds guests that run on although libvirt has forgotten them, for example because both
 * files of a domain were damaged when libvirt's daemon restarted.  Only root can end them.  Their
 * names stay reserved meanwhile, because libvirt still has their QEMU's log open.  Reads libvirt's
 * own directory of running guests, and believes nothing that a user can write to. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"

/* Here libvirt keeps a file with each QEMU's process id, under the domain's name; only root writes
 * here. */
#define VIOMMU_ORPHANS_DIRECTORY "/run/libvirt/qemu"

typedef struct ViommuOrphan {
    char *name; /* of the machine */
    char uuid[37];
    uint64_t pid;
} ViommuOrphan;
void viommu_orphan_free(ViommuOrphan *orphan);

/** Orphans whose domain's name begins with @prefix, of ViommuOrphan.  @directory and /proc are
 *  below @root.  Blocks.  Owned. */
GPtrArray *viommu_orphans_find(ViommuBackend *backend, const char *root, const char *directory,
                               const char *prefix);

/** Whether its process still runs, as far as that is known without waiting. */
bool viommu_orphan_lives(const ViommuOrphan *orphan);
