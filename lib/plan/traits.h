/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traits: what a host offers, in OpenStack's vocabulary for schedulers.  Knows no host: it names
 * what others found.  The bus and viommuctl's inventory both ask it. */
#pragma once

#include "lib/plan/offered-models.h"

/** COMPUTE_VIOMMU_MODEL_<MODEL> for each model that some architecture is offered, _AUTO where one
 *  of them may be chosen without being named; a model without a standard trait gets a CUSTOM_ one;
 *  and CUSTOM_VIOMMU_<ARCH>_<MODEL> for each combination, as OpenStack's traits do not say for
 *  which guests.  Owned, g_strfreev(). */
char **viommu_traits(const ViommuOffer *offer);
