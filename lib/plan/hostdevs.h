/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostdevs: what a plan settles for assigned devices before its IOMMU is chosen, and after.  Knows no XML. */
#pragma once

#include "lib/plan/plan.h"

/** What placement goes by. Borrows from both. */
ViommuPlacementInput viommu_plan_hostdevs_placing(const ViommuPlanInput *input);
/** Finds the devices, and what each goes through.  Sets placement of @plan.  *ret_rule (static): what refuses.
 *  Fails: NOT_SUPPORTED, BUSY. */
bool viommu_plan_hostdevs_place(const ViommuPlanInput *input, const ViommuEmulator *emulator,
                                ViommuPlan *plan, ViommuRule *ret_rule, GError **error);
/** How much QEMU may have to lock for them; and every decision about them in plain words, as notes and warnings.
 *  Fails: NOT_SUPPORTED. */
bool viommu_plan_hostdevs_settle(const ViommuPlanInput *input, const ViommuEmulator *emulator,
                                 ViommuPlan *plan, ViommuRule *ret_rule, GError **error);
