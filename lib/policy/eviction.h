/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eviction: which guest ends when overlays leave too little of their file system free.  Knows
 * numbers; does not know how a guest is ended. */
#pragma once

#include <stdint.h>

/* A guest that may be ended. */
typedef struct ViommuTenant {
    uint32_t uid;
    uint64_t bytes; /* what its overlays take of the file system */
} ViommuTenant;

/** What must stay free while guests run, of what must be free when they are launched: between the
 *  two, guests that run may write. */
uint64_t viommu_eviction_limit(uint64_t reserve_bytes);
/** The index of the guest to end: of the user whose guests take most, the one that takes most.  @n:
 *  none, because all of them together take less than @missing_bytes, so that something else fills
 *  the file system. */
unsigned viommu_eviction_choose(const ViommuTenant *tenants, unsigned n, uint64_t missing_bytes);
