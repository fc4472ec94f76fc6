/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* eviction: sums for each user. */
#include "lib/policy/eviction.h"

#include <stdbool.h>
#include <stddef.h>

#define RUNNING_PART 2

uint64_t viommu_eviction_limit(uint64_t reserve_bytes)
{
    return reserve_bytes / RUNNING_PART;
}

/* Of user @uid, or of all users. */
static uint64_t sum(const ViommuTenant *tenants, unsigned n, const uint32_t *uid)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < n; i++)
        bytes += !uid || tenants[i].uid == *uid ? tenants[i].bytes : 0;
    return bytes;
}

unsigned viommu_eviction_choose(const ViommuTenant *tenants, unsigned n, uint64_t missing_bytes)
{
    unsigned chosen = n;
    uint64_t most = 0;

    if (sum(tenants, n, NULL) < missing_bytes)
        return n;
    for (unsigned i = 0; i < n; i++) {
        const ViommuTenant *tenant = &tenants[i];
        bool same_user = chosen < n && tenants[chosen].uid == tenant->uid;
        uint64_t bytes = same_user ? most : sum(tenants, n, &tenant->uid);

        if (bytes > most || (same_user && tenant->bytes > tenants[chosen].bytes)) {
            chosen = i;
            most = bytes;
        }
    }
    return chosen;
}
