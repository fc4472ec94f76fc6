/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy: the site's preferences, as plain data with defaults.  Does not know where they are
 * set. */
#pragma once

#include "lib/base/platform.h"
#include "lib/host/site.h"

/* Order of preference among candidates; a setting of the site. */
typedef enum ViommuOrder {
    VIOMMU_ORDER_NATIVE, /* intel, smmuv3, then virtio */
    VIOMMU_ORDER_VIRTIO, /* virtio, then intel, smmuv3 */
    VIOMMU_ORDER_LAST,
} ViommuOrder;
extern const ViommuEnum viommu_enum_order;

/* Which guest agents may be used; a setting of the site. */
typedef enum ViommuAgentUse {
    /* on the system bus, users other than root may have one if libvirt survives hostile replies */
    VIOMMU_AGENT_AUTO,
    VIOMMU_AGENT_YES,
    VIOMMU_AGENT_NO, /* viommud asks no agent, and users other than root get no channel */
    VIOMMU_AGENT_LAST,
} ViommuAgentUse;
extern const ViommuEnum viommu_enum_agent_use;

/* What to do where guests are confined only by their user's rights; a setting of the site. */
typedef enum ViommuConfinement {
    VIOMMU_CONFINEMENT_REQUIRED, /* refuse all launches */
    VIOMMU_CONFINEMENT_WARN,
    VIOMMU_CONFINEMENT_OFF,
    VIOMMU_CONFINEMENT_LAST,
} ViommuConfinement;
extern const ViommuEnum viommu_enum_confinement;

typedef struct ViommuPolicy {
    ViommuOrder order; /* among candidates of an automatic choice */
    /* the meaning of "auto"; AUTO: KVM if libvirt offers it, else TCG */
    ViommuAccelerator accelerator;
    bool prove_kvm;                /* KVM that was seen to be broken is not used */
    ViommuConfinement confinement; /* where guests have only their user's rights */
    uint64_t default_memory_bytes; /* for a request without memory */
    unsigned default_vcpus;
    /* what users other than root may have; NULL: nothing of the host.  Borrowed */
    const ViommuSite *site;
    uint64_t locked_reserve_bytes; /* the host's memory that guests may not lock */
    /* libvirt stores a log, the firmware's variables and more under a domain's name, and uses
     * existing ones. */
    /* prefix of domain names; NULL: they are the machines' names.  Borrowed */
    const char *name_prefix;
    /* directory of the firmware's variables; NULL: libvirt decides.  Borrowed */
    const char *nvram_directory;
    ViommuAgentUse agent;
    /* where this viommud hears guests say over vsock that they have booted; 0: nowhere */
    uint32_t ready_port;
} ViommuPolicy;

/** The port of the system's viommud, and of @uid's own one.  It is the same after a restart,
 *  because guests keep it. */
uint32_t viommu_policy_ready_port(bool own, uint32_t uid);

/** Native order, automatic accelerator, 1 GiB, one vCPU, 1 GiB that guests may not lock, agents
 *  where libvirt survives hostile replies. */
void viommu_policy_init(ViommuPolicy *policy);
