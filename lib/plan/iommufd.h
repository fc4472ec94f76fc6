/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommufd: what iommufd.c and iommufd-without.c, one of which is built (-Diommufd), both say. */
#pragma once

#define VIOMMU_IOMMUFD_NOT_ASKED "iommufd is used only where hostdevs[].iommufd asks for it"
