/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traits: what a host offers, in OpenStack's vocabulary for schedulers.  Knows no host: it names what others found. */
#pragma once

#include "lib/enum.h"

/** COMPUTE_VIOMMU_MODEL_<MODEL> for each model whose bit (1 << ViommuModel) is set in @models, _AUTO where one of them may be
 *  chosen without being named; a model without a standard trait gets a CUSTOM_ one.  Owned, g_strfreev(). */
char **viommu_traits(unsigned models);
