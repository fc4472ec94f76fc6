/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handover: how libvirt gets the files of one request, when they have been looked at: by which path, or open.  Plain data; does not know
 * who looked, or at what. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/enum.h"

/* An image that another one is based on. */
typedef struct ViommuHandoverBacking {
    char *path;
    ViommuDiskFormat format;
} ViommuHandoverBacking;

typedef struct ViommuHandover {
    char *path;    /* of one that is handed over open, a name for messages */
    bool is_open;  /* a disk only: as an open file */
    bool is_block; /* a disk only: a block device */
    GPtrArray
        *backing; /* of a disk, ViommuHandoverBacking from the nearest on; empty: none; NULL: not looked at */
} ViommuHandover;

typedef struct ViommuHandovers {
    ViommuHandover kernel, initrd; /* path NULL: none */
    GPtrArray *disks;              /* of ViommuHandover, in the request's order */
} ViommuHandovers;

/** Nothing yet. Owned. */
ViommuHandovers *viommu_handovers_new(void);
void viommu_handovers_free(ViommuHandovers *handovers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuHandovers, viommu_handovers_free)
/** An empty list of ViommuHandoverBacking. Owned. */
GPtrArray *viommu_handover_backing_new(void);
/** Adds one; @path is copied. */
void viommu_handover_add_backing(GPtrArray *backing, const char *path, ViommuDiskFormat format);

/* Between processes: the type of what viommu_handovers_to_variant() writes.  A new member of the structs above goes into it, and into
 * both functions. */
#define VIOMMU_HANDOVERS_TYPE "((msbbma(si))(msbbma(si))a(msbbma(si)))"

/** Floating, of that type. */
GVariant *viommu_handovers_to_variant(const ViommuHandovers *handovers);
/** Reads what another process has written, who had strangers' files in its hands.  NULL: it makes no sense. Owned. */
ViommuHandovers *viommu_handovers_from_variant(GVariant *value);
