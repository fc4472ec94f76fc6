/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orphans: finds guests that run on although libvirt has forgotten them, for example because both
 * files of a domain were torn when libvirt's daemon started again.  Only root can end them.  Their
 * names cannot be used meanwhile, because libvirt still has their QEMU's log open.  Reads libvirt's
 * own directory of running guests; believes nothing that a user can write to. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"

/* libvirt's file of each QEMU's process id, by the domain's name, is here; root's. */
#define VIOMMU_ORPHANS_DIRECTORY "/run/libvirt/qemu"

typedef struct ViommuOrphan {
    char *name; /* the machine's */
    char uuid[37];
    uint64_t pid;
} ViommuOrphan;
void viommu_orphan_free(ViommuOrphan *orphan);

/** Those whose domain's name begins with @prefix, of ViommuOrphan.  @root: below it are @directory
 *  and /proc.  Blocks.  Owned. */
GPtrArray *viommu_orphans_find(ViommuBackend *backend, const char *root, const char *directory,
                               const char *prefix);

/** Its process still runs, as far as can be told without waiting. */
bool viommu_orphan_lives(const ViommuOrphan *orphan);
