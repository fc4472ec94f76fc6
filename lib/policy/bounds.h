/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bounds: the limits that follow from the size of a host where the site sets none, and their
 * descriptions.  Knows numbers, not their source. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/policy/quota.h"

/* What viommud finds; 0: not known, which bounds nothing. */
typedef struct ViommuBoundsHost {
    bool own; /* by a user's own viommud, which only the disk with its logs bounds */
    uint64_t memory_bytes;
    uint64_t cpus;
    /* size of the file system that copies of kernels and initrds are on */
    uint64_t copies_disk_bytes;
    uint64_t logs_disk_bytes; /* and of that with the logs of consoles */
} ViommuBoundsHost;

typedef struct ViommuBounds {
    ViommuAmounts limits;       /* 0: none */
    uint64_t console_log_bytes; /* of all logs of consoles together; 0: no bound */
} ViommuBounds;

/** What is in force where the site says "auto".  @machine_bytes: what a machine has whose request
 *  does not say: where the host can carry such a machine, everybody may have one. */
void viommu_bounds_derive(const ViommuBoundsHost *host, uint64_t machine_bytes, ViommuBounds *ret_bounds);
/** How the limit follows from the host, such as "half of what all users together may have"; NULL
 *  for a limit that does not.  Static. */
const char *viommu_bounds_words(ViommuResource resource, bool per_user);
/** The same of the logs of consoles. Static. */
const char *viommu_bounds_log_words(void);
