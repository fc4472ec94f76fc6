/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommufd, in a build without it: each device uses a VFIO container. */
#include "lib/plan/build.h"
#include "lib/plan/iommufd.h"

bool viommu_plan_settle_iommufd(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *devices = build->plan->placement.devices;

    for (guint i = 0; i < devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(devices, i);
        const ViommuRequestHostdev *asked = g_ptr_array_index(build->request->hostdevs, device->entry);

        if (asked->iommufd == VIOMMU_IOMMUFD_YES)
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_IOMMUFD, error,
                "hostdevs[%u].iommufd is 'yes', but this viommud was built without it (-Diommufd=enabled)",
                device->entry);
        device->backend_reason =
            g_strdup(asked->iommufd == VIOMMU_IOMMUFD_AUTO ? "this viommud was built without iommufd"
                                                           : VIOMMU_IOMMUFD_NOT_ASKED);
    }
    return true;
}
