/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bounds: the limits that follow from the size of a host where the site sets none, and their
 * descriptions.  Knows numbers, not their source. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/policy/quota.h"

/* The size of the host, as viommud finds it; 0: not known, which gives no bound. */
typedef struct ViommuBoundsHost {
    bool own; /* for a user's own viommud, which only the free space of the disks bounds */
    uint64_t memory_bytes;
    uint64_t cpus;
    /* size of the file system for copies of kernels and initrds, and for overlays */
    uint64_t copies_disk_bytes;
    uint64_t logs_disk_bytes; /* size of the file system for console logs */
} ViommuBoundsHost;

typedef struct ViommuBounds {
    ViommuAmounts limits;       /* 0: none */
    uint64_t console_log_bytes; /* of all console logs together; 0: no bound */
    uint64_t reserve_bytes;     /* what overlays leave free of their file system; 0: nothing */
} ViommuBounds;

/** The limits in force where the site says "auto".  @machine_bytes: the default memory of a
 *  machine; where the host has room for such a machine, each user may have one. */
void viommu_bounds_derive(const ViommuBoundsHost *host, uint64_t machine_bytes, ViommuBounds *ret_bounds);
/** How the limit follows from the host, such as "half of what all users together may have"; NULL
 *  for one that does not.  Static. */
const char *viommu_bounds_words(ViommuResource resource, bool per_user);
/** The same for console logs.  Static. */
const char *viommu_bounds_log_words(void);
/** The same for what overlays leave free.  Static. */
const char *viommu_bounds_reserve_words(void);
