/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* virtio-xml: the virtio devices of a machine that are neither disks nor networks. */
#pragma once

#include "lib/base/xml-write.h"
#include "lib/plan/plan.h"

/** The <driver> of one of them, for an open element; nothing for a device outside the IOMMU. */
void viommu_virtio_write_driver(ViommuXmlWriter *xml, const ViommuPlanDevice *device);
/** All of them, below <devices>, but for the controller. */
void viommu_virtio_write(ViommuXmlWriter *xml, const ViommuPlan *plan);
