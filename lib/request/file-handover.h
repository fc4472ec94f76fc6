/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-handover: how libvirt gets the files of one request, when they have been looked at: by
 * which path, open, or in either way.  Plain data; does not know who looked, or at what. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/request/request.h"

/* An image that another one is based on. */
typedef struct ViommuHandoverBacking {
    char *path; /* nobody but root can put another file there */
    ViommuDiskFormat format;
    bool is_open; /* it is held open, and can be given to libvirt so */
} ViommuHandoverBacking;

typedef struct ViommuHandover {
    char *path;       /* what it is called */
    bool is_fixed;    /* the path cannot come to mean another file */
    bool is_open;     /* a disk only: it is held open, and can be given to libvirt so */
    bool is_block;    /* a disk only: a block device */
    bool is_nameless; /* a disk only: no path leads to it any more */
    /* of a disk, ViommuHandoverBacking from the nearest on; empty: none; NULL: not looked at */
    GPtrArray *backing;
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
void viommu_handover_add_backing(GPtrArray *backing, const char *path, ViommuDiskFormat format, bool is_open);

/* Between processes: the type of what viommu_handovers_to_variant() writes.  A new member of the
 * structs above goes into it, and into both functions. */
#define VIOMMU_HANDOVER_TYPE  "(ms(bbbb)ma(sib))"
#define VIOMMU_HANDOVERS_TYPE "(" VIOMMU_HANDOVER_TYPE VIOMMU_HANDOVER_TYPE "a" VIOMMU_HANDOVER_TYPE ")"

/** Floating, of that type. */
GVariant *viommu_handovers_to_variant(const ViommuHandovers *handovers);
/** Reads what another process wrote; that process handles untrusted files.  NULL: the value is
 *  invalid.  Owned. */
ViommuHandovers *viommu_handovers_from_variant(GVariant *value);
