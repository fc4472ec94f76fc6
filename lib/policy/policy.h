/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy: the site's preferences, as plain data with defaults.  Does not know where they were
 * configured. */
#pragma once

#include "lib/base/platform.h"
#include "lib/host/site.h"

/* Order of preference among candidates: a site's setting. */
typedef enum ViommuOrder {
    VIOMMU_ORDER_NATIVE, /* intel, smmuv3, then virtio */
    VIOMMU_ORDER_VIRTIO, /* virtio, then intel, smmuv3 */
    VIOMMU_ORDER_LAST,
} ViommuOrder;
extern const ViommuEnum viommu_enum_order;

/* What becomes of guests' agents: a site's setting. */
typedef enum ViommuAgentUse {
    /* on the system bus others than root have them where libvirt survives what they say */
    VIOMMU_AGENT_AUTO,
    VIOMMU_AGENT_YES,
    VIOMMU_AGENT_NO, /* none is asked, and others than root have no channel for one */
    VIOMMU_AGENT_LAST,
} ViommuAgentUse;
extern const ViommuEnum viommu_enum_agent_use;

/* What is done where nothing confines guests beyond their user's rights: a site's setting. */
typedef enum ViommuConfinement {
    VIOMMU_CONFINEMENT_REQUIRED, /* nothing is launched */
    VIOMMU_CONFINEMENT_WARN,
    VIOMMU_CONFINEMENT_OFF,
    VIOMMU_CONFINEMENT_LAST,
} ViommuConfinement;
extern const ViommuEnum viommu_enum_confinement;

typedef struct ViommuPolicy {
    ViommuOrder order; /* among candidates of an automatic choice */
    /* what "auto" means here; AUTO: KVM where libvirt offers it, else TCG */
    ViommuAccelerator accelerator;
    ViommuConfinement confinement; /* where guests have their user's rights only */
    uint64_t default_memory_bytes; /* for a request without memory */
    unsigned default_vcpus;
    /* what others than root may have; NULL: nothing of the host's. Borrowed */
    const ViommuSite *site;
    uint64_t locked_reserve_bytes; /* of the host's memory, which guests may not lock */
    /* libvirt keeps a log, variables of the firmware and more by a domain's name, and takes what it
     * finds by that name. */
    const char *name_prefix; /* of the domains' names; NULL: they are the machines'.  Borrowed */
    /* where libvirt keeps the firmware's variables; NULL: it decides.  Borrowed */
    const char *nvram_directory;
    ViommuAgentUse agent;
} ViommuPolicy;

/** Native order, automatic accelerator, 1 GiB, one vCPU, 1 GiB that no guest may lock, agents
 *  where they do no harm. */
void viommu_policy_init(ViommuPolicy *policy);
