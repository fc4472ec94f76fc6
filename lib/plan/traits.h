/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traits: what a host offers, in OpenStack's vocabulary for schedulers.  Knows no host; the caller
 * passes the models.  For the bus and viommuctl's inventory. */
#pragma once

#include "lib/plan/offered-models.h"

/** COMPUTE_VIOMMU_MODEL_<MODEL> for each model that some architecture is offered, _AUTO if one of
 *  them may be chosen automatically; a model without a standard trait gets a CUSTOM_ one; and
 *  CUSTOM_VIOMMU_<ARCH>_<MODEL> for each combination, because OpenStack's traits do not name the
 *  guest's architecture; CUSTOM_VIOMMU_KVM_<ARCH>_<MODEL> for each that a request with KVM gets.
 *  Owned, g_strfreev(). */
char **viommu_traits(const ViommuOffer *offer);
