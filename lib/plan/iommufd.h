/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommufd: the interface of iommufd.c and iommufd-without.c; one of them is built (-Diommufd). */
#pragma once

#define VIOMMU_IOMMUFD_NOT_ASKED "iommufd is used only where hostdevs[].iommufd asks for it"
