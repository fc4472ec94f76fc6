/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy: the defaults.  Does not know where they are changed. */
#include "lib/policy.h"

#include "lib/quantity.h"

void viommu_policy_init(ViommuPolicy *policy)
{
    *policy = (ViommuPolicy){
        .order = VIOMMU_ORDER_NATIVE,
        .accelerator = VIOMMU_ACCELERATOR_AUTO,
        .confinement = VIOMMU_CONFINEMENT_WARN,
        .default_memory_bytes = VIOMMU_GIB,
        .default_vcpus = 1,
        .locked_reserve_bytes = VIOMMU_GIB,
        .agent = VIOMMU_AGENT_AUTO,
    };
}
