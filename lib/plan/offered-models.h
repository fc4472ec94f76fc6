/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* offered-models: which models a host offers.  It asks the planner for each, so that the list
 * agrees with launches. */
#pragma once

#include "lib/host/host.h"
#include "lib/policy/policy.h"
#include "lib/request/request.h"

/** Bit (1 << ViommuModel) for each model that a plain request would get, by architecture; and that
 *  a request with the accelerator kvm would get. */
typedef struct ViommuOffer {
    unsigned models[VIOMMU_ARCH_LAST];
    unsigned by_kvm[VIOMMU_ARCH_LAST];
} ViommuOffer;

void viommu_offer_of_host(const ViommuHost *host, const ViommuPolicy *policy, ViommuOffer *ret_offer);
/** The models that some architecture has. */
unsigned viommu_offer_models(const ViommuOffer *offer);
/** A request for @model on @arch without any other key.  Owned. */
ViommuRequest *viommu_offer_request(ViommuArch arch, ViommuModel model);
