/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-use: the shared data of the two readers of the host's use of its devices.  Only for
 * lib/host/topology-use*.c. */
#pragma once

#include "lib/host/sysroot.h"
#include "lib/host/topology.h"

typedef struct ViommuUses {
    const ViommuRoot *root;
    const ViommuTopology *topology;
    GHashTable *by_address;    /* address of an endpoint -> GPtrArray of texts */
    GHashTable *mounts;        /* device number, or name -> mount point */
    GHashTable *swaps, *btrfs; /* names */
    GHashTable *walked;        /* names above the disk or port that is looked at */
    bool mounts_seen, swaps_seen;
} ViommuUses;

/** Records this use for every endpoint in @path, a path of sysfs or a single address. */
void viommu_use_add(ViommuUses *uses, const char *path, const char *format, ...) G_GNUC_PRINTF(3, 4);
/** topology-use-net: what network ports are used for. */
void viommu_use_networks(ViommuUses *uses);
