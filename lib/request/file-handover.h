/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-handover: how libvirt gets the files of one request: by which path, open, or both.  Plain
 * data; does not know the files. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/request/request.h"

/* A backing file of an image. */
typedef struct ViommuHandoverBacking {
    char *path; /* only root can replace the file */
    ViommuDiskFormat format;
    bool is_open; /* it is open, and can be passed to libvirt open */
} ViommuHandoverBacking;

typedef struct ViommuHandover {
    char *path;       /* the name of the file */
    bool is_fixed;    /* the path cannot come to mean another file */
    bool is_open;     /* a disk only: it is open, and can be passed to libvirt open */
    bool is_block;    /* a disk only: a block device */
    bool is_nameless; /* a disk only: deleted, so no path leads to it */
    /* of a disk, ViommuHandoverBacking, the nearest first; empty: none; NULL: not read */
    GPtrArray *backing;
    /* of a disk: the path of the qcow2 file that is made over it, to be removed with the machine,
     * and what the guest sees of that; the file itself is then only read.  NULL: none */
    char *overlay;
    uint64_t overlay_bytes;
} ViommuHandover;

typedef struct ViommuHandovers {
    ViommuHandover kernel, initrd; /* path NULL: none */
    GPtrArray *disks;              /* of ViommuHandover, in the request's order */
    ViommuHandover seed;           /* a file that is made; path NULL: none */
} ViommuHandovers;

/** Empty.  Owned. */
ViommuHandovers *viommu_handovers_new(void);
void viommu_handovers_free(ViommuHandovers *handovers);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuHandovers, viommu_handovers_free)
/** An empty list of ViommuHandoverBacking. Owned. */
GPtrArray *viommu_handover_backing_new(void);
/** Adds a backing file; @path is copied. */
void viommu_handover_add_backing(GPtrArray *backing, const char *path, ViommuDiskFormat format, bool is_open);

/* Between processes: the type of viommu_handovers_to_variant()'s value.  A new member of the
 * structs above goes into it, and into both functions. */
#define VIOMMU_HANDOVER_TYPE "(ms(bbbb)ma(sib)mst)"
#define VIOMMU_HANDOVERS_TYPE \
    "(" VIOMMU_HANDOVER_TYPE VIOMMU_HANDOVER_TYPE VIOMMU_HANDOVER_TYPE "a" VIOMMU_HANDOVER_TYPE ")"

/** Floating, of that type. */
GVariant *viommu_handovers_to_variant(const ViommuHandovers *handovers);
/** Reads what another process wrote; that process handles untrusted files.  NULL: the value is
 *  invalid.  Owned. */
ViommuHandovers *viommu_handovers_from_variant(GVariant *value);
