/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommufd of a build without it: every device goes through VFIO's containers. */
#include "lib/base/error.h"
#include "lib/plan/iommufd.h"

bool viommu_iommufd_decide(const ViommuRequest *request, const ViommuHost *host,
                           const ViommuEmulator *emulator, ViommuPlacement *placement, GError **error)
{
    for (guint i = 0; i < placement->devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);
        const ViommuRequestHostdev *asked = g_ptr_array_index(request->hostdevs, device->entry);

        if (asked->iommufd == VIOMMU_IOMMUFD_YES) {
            return viommu_fail(
                error, VIOMMU_ERROR_NOT_SUPPORTED,
                "hostdevs[%u].iommufd is 'yes', but this viommud was built without it (-Diommufd=enabled)",
                device->entry);
        }
        device->backend_reason =
            g_strdup(asked->iommufd == VIOMMU_IOMMUFD_AUTO ? "this viommud was built without iommufd"
                                                           : VIOMMU_IOMMUFD_NOT_ASKED);
    }
    return true;
}
