/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory-xml: the elements of a domain about the guest's memory.  Only for lib/domain. */
#pragma once

#include "lib/base/xml-write.h"
#include "lib/plan/plan.h"

/** Writes how much memory the guest has, and can have. */
void viommu_memory_write(ViommuXmlWriter *xml, const ViommuPlan *plan);
/** Writes what the guest's memory consists of. */
void viommu_memory_write_backing(ViommuXmlWriter *xml, const ViommuPlan *plan);
/** Writes the NUMA cells; one for all memory, where only the growth of memory needs one. */
void viommu_memory_write_cells(ViommuXmlWriter *xml, const ViommuPlan *plan);
/** Writes the device by which memory is plugged in, if there is one. */
void viommu_memory_write_device(ViommuXmlWriter *xml, const ViommuPlan *plan);
