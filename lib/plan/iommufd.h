/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommufd: which assigned devices go through iommufd, and why the others do not.  Opt-in, as upstream advises.  A build without
 * it (-Diommufd=disabled) has another file for this header. */
#pragma once

#include "lib/host/host.h"
#include "lib/plan/placement.h"

#define VIOMMU_IOMMUFD_NOT_ASKED "iommufd is used only where hostdevs[].iommufd asks for it"

/** Sets iommufd and backend_reason of each device of @placement.
 *  Fails: NOT_SUPPORTED, when the request says "yes" of one that cannot. */
bool viommu_iommufd_decide(const ViommuRequest *request, const ViommuHost *host,
                           const ViommuEmulator *emulator, ViommuPlacement *placement, GError **error);
