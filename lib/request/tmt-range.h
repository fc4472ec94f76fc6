/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt-range: the numbers that satisfy all conditions of one name, with tmt's units.  Knows no
 * names.  Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/request/tmt.h"

/* No number of a requirement is larger: an EiB. */
#define VIOMMU_TMT_NUMBER_MAX (UINT64_C(1) << 60)

typedef struct ViommuTmtRange {
    uint64_t low, high; /* at first 0 and VIOMMU_TMT_NUMBER_MAX */
    bool empty;
    uint64_t excluded[VIOMMU_TMT_CONDITIONS_MAX];
    guint n_excluded;
} ViommuTmtRange;

/** Takes the condition @text, ">= 1.5 GB", into account; at most VIOMMU_TMT_CONDITIONS_MAX times.
 *  @unit: of a number without one; 0: the number is whole and has none.
 *  Fails: INVALID_REQUEST, with @name. */
bool viommu_tmt_range_narrow(ViommuTmtRange *range, const char *name, const char *text, uint64_t unit,
                             GError **error);
/** The smallest number that satisfies all; without a lower bound @default_, or the largest where
 *  that is 0.  A multiple of @step where the bounds allow it.  Above range->high: there is none. */
uint64_t viommu_tmt_range_pick(const ViommuTmtRange *range, uint64_t step, uint64_t default_);
/** The largest number such that it and all from @number on satisfy. */
uint64_t viommu_tmt_range_reach(const ViommuTmtRange *range, uint64_t number);
