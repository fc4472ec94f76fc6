/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy: the defaults. */
#include "lib/policy/policy.h"

#include "lib/base/quantity.h"

VIOMMU_ENUM_DEFINE(order, "order of preference", VIOMMU_ORDER_LAST, "native", "virtio");
VIOMMU_ENUM_DEFINE(agent_use, "use of agents", VIOMMU_AGENT_LAST, "auto", "yes", "no");
VIOMMU_ENUM_DEFINE(confinement, "confinement", VIOMMU_CONFINEMENT_LAST, "required", "warn", "off");

/* "viom"; above the ports that need a privilege. */
#define READY_PORT 0x76696f6du

uint32_t viommu_policy_ready_port(bool own, uint32_t uid)
{
    return own ? READY_PORT + 1 + (uid & 0xffffff) : READY_PORT;
}

void viommu_policy_init(ViommuPolicy *policy)
{
    *policy = (ViommuPolicy){
        .order = VIOMMU_ORDER_NATIVE,
        .accelerator = VIOMMU_ACCELERATOR_AUTO,
        .prove_kvm = true,
        .confinement = VIOMMU_CONFINEMENT_WARN,
        .default_memory_bytes = VIOMMU_GIB,
        .default_vcpus = 1,
        .locked_reserve_bytes = VIOMMU_GIB,
        .agent = VIOMMU_AGENT_AUTO,
        .ready_port = READY_PORT,
    };
}
