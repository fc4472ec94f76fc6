/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* orphans: guests that run on though libvirt knows nothing of them any more, as when both of a
 * domain's files were torn and its daemon started again.  Nobody but root can end them, and their
 * names cannot be used meanwhile: libvirt still has their QEMU's log open.  Knows libvirt's own
 * directory of the running; nothing that a user can write to is believed. */
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
