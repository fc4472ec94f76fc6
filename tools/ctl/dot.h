/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* dot: the topology of a plan, or of this host, as a graph for graphviz.  Decides nothing. */
#pragma once

#include "lib/plan/plan.h"
#include "tools/client/output.h"

/** Prints the guest's IOMMU, buses and devices, and beside them the host's devices that it gets,
 *  with their groups and IOMMUs. */
void viommu_ctl_dot_plan(const ViommuOutput *output, const ViommuPlan *plan);
/** Prints the host's IOMMUs, groups and PCI devices. */
void viommu_ctl_dot_host(const ViommuOutput *output, const ViommuTopology *topology);
