/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quota: the limits of each resource, for each user and for all together.  Knows numbers, not
 * machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum ViommuResource {
    VIOMMU_RESOURCE_MACHINES,
    VIOMMU_RESOURCE_VCPUS,
    VIOMMU_RESOURCE_MEMORY,           /* bytes */
    VIOMMU_RESOURCE_LOCKED_MEMORY,    /* bytes: locked or of huge pages */
    VIOMMU_RESOURCE_PENDING_LAUNCHES, /* waiting or under way */
    VIOMMU_RESOURCE_COPIES,           /* bytes: of kernels and initrds that were copied */
    VIOMMU_RESOURCE_OVERLAYS,         /* bytes: what guests see of their overlays, written or not */
    VIOMMU_RESOURCE_LAST,
} ViommuResource;

/* The limit follows from the host's size (lib/policy/bounds.h). */
#define VIOMMU_LIMIT_AUTO UINT64_MAX

/* Limits (0: none), or amounts in use. */
typedef struct ViommuAmounts {
    uint64_t all[VIOMMU_RESOURCE_LAST];
    uint64_t user[VIOMMU_RESOURCE_LAST]; /* of each user */
} ViommuAmounts;

/** Whether user @uid may have @wanted more of each resource.  Fails: BUSY when it is too much now,
 *  POLICY_REFUSED when it always will be; names the number and the key. */
bool viommu_quota_check(const ViommuAmounts *limits, const ViommuAmounts *used,
                        const uint64_t wanted[VIOMMU_RESOURCE_LAST], uint32_t uid, GError **error);
