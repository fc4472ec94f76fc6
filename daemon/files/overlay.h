/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* overlay: a qcow2 image that holds what a guest writes, over a base that stays as it is.  qemu-img
 * makes it, and does not open the base.  Knows paths and numbers; does not know requests. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/request/request.h"

/* The longest name of a base, in bytes: a qcow2 header has no room for more. */
#define VIOMMU_OVERLAY_BASE_MAX 1023u

typedef struct ViommuOverlay {
    const char *path; /* absolute; replaced if it exists */
    const char *base; /* absolute; only a name in the header */
    ViommuDiskFormat format;
    uint64_t bytes; /* what the guest sees */
} ViommuOverlay;

/** The size that the guest sees of the image @fd of @format: of its header, or of the whole file or
 *  device; a multiple of 512.  Leaves the file offset.  Blocks.  Fails: INVALID_REQUEST. */
bool viommu_overlay_measure(int fd, ViommuDiskFormat format, uint64_t *ret_bytes, GError **error);
/** The next multiple of a sector. */
uint64_t viommu_overlay_round(uint64_t bytes);
/** Makes it, for its owner alone.  Runs a process, which ends with this one; blocks.  Only for a
 *  process of one thread.  Fails: NOT_SUPPORTED when qemu-img is missing; BACKEND, with its
 *  words. */
bool viommu_overlay_make(const ViommuOverlay *overlay, GError **error);
