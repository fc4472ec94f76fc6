/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fleet: plan, run and launch on one host of many: the request is planned on each recorded class of
 * hosts, and one srun asks for a node of those that can. */
#pragma once

#include "tools/ctl/ctl.h"

/** Prints what each class can, and the srun.  Fails: as the planner does, when none can. */
bool viommu_ctl_fleet_plan(ViommuCtl *ctl, GError **error);
/** Runs the command beside, or in, a guest on such a node.  The exit status is srun's, which is the
 *  command's.  Fails: before anything is queued, when no class can; UNAVAILABLE, when there is no
 *  srun. */
bool viommu_ctl_fleet_run(ViommuCtl *ctl, GError **error);
/** The same for a machine that is bound to the job. */
bool viommu_ctl_fleet_launch(ViommuCtl *ctl, GError **error);
