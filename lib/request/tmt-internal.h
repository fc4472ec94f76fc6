/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt-internal: alternatives of conditions, as the readers of tmt's and of Beaker's files make
 * them.  Only for lib/request. */
#pragma once

#include "lib/request/tmt.h"

/** No conditions, and no alternatives; owned, g_ptr_array_unref(). */
GPtrArray *viommu_tmt_alternative_new(void);
GPtrArray *viommu_tmt_alternatives_new(void);
/** These fail with INVALID_REQUEST where there would be too many. */
bool viommu_tmt_add(GPtrArray *alternative, const char *name, const char *text, GError **error);
bool viommu_tmt_append(GPtrArray *alternatives, GPtrArray *more, GError **error);
/** Each of @left with each of @right; owned. */
GPtrArray *viommu_tmt_combine(const GPtrArray *left, const GPtrArray *right, GError **error);
