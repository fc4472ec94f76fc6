/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* offered-models: which models a host offers, by asking the planner for each, so that no list can
 * say other than a launch would. */
#pragma once

#include "lib/host/host.h"
#include "lib/policy/policy.h"
#include "lib/request/request.h"

/** Bit (1 << ViommuModel) for each model that a plain request would get, by architecture. */
typedef struct ViommuOffer {
    unsigned models[VIOMMU_ARCH_LAST];
} ViommuOffer;

void viommu_offer_of_host(const ViommuHost *host, const ViommuPolicy *policy, ViommuOffer *ret_offer);
/** The models that some architecture has. */
unsigned viommu_offer_models(const ViommuOffer *offer);
/** The request of somebody who wants @model on @arch and says nothing else. Owned. */
ViommuRequest *viommu_offer_request(ViommuArch arch, ViommuModel model);
