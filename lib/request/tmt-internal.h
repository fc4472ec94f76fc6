/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt-internal: alternatives of conditions, as the readers of tmt's and of Beaker's files make
 * them.  Only for lib/request. */
#pragma once

#include "lib/request/tmt.h"

/** Why a condition on another disk is impossible. */
extern const char viommu_tmt_why_one_disk[];

/** No conditions, and no alternatives; owned, g_ptr_array_unref(). */
GPtrArray *viommu_tmt_alternative_new(void);
GPtrArray *viommu_tmt_alternatives_new(void);
/** These fail with INVALID_REQUEST where there would be too many.
 *  @condition is copied. */
bool viommu_tmt_add(GPtrArray *alternative, const ViommuTmtCondition *condition, GError **error);
bool viommu_tmt_append(GPtrArray *alternatives, GPtrArray *more, GError **error);
/** Each of @left with each of @right; owned. */
GPtrArray *viommu_tmt_combine(const GPtrArray *left, const GPtrArray *right, GError **error);
