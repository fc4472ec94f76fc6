/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* policy: the site's preferences, as plain data with defaults.  Does not know where they were configured. */
#pragma once

#include "lib/enum.h"
#include "lib/site.h"

typedef struct ViommuPolicy {
    ViommuOrder order;             /* among candidates of an automatic choice */
    ViommuAccelerator accelerator; /* what "auto" means here; AUTO: KVM where libvirt offers it, else TCG */
    ViommuConfinement confinement; /* where guests have their user's rights only */
    uint64_t default_memory_bytes; /* for a request without memory */
    unsigned default_vcpus;
    const ViommuSite *site;        /* what others than root may have; NULL: nothing of the host's. Borrowed */
    uint64_t locked_reserve_bytes; /* of the host's memory, which guests may not lock */
    /* libvirt keeps a log, variables of the firmware and more by a domain's name, and takes what it finds by that name. */
    const char *name_prefix; /* of the domains' names; NULL: they are the machines'.  Borrowed */
    const char
        *nvram_directory; /* where libvirt keeps the firmware's variables; NULL: it decides.  Borrowed */
    ViommuAgentUse agent;
} ViommuPolicy;

/** Native order, automatic accelerator, 1 GiB, one vCPU, 1 GiB that no guest may lock, agents where they do no harm. */
void viommu_policy_init(ViommuPolicy *policy);
