/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* condition: the operators of tmt's hardware syntax: "!= intel", "~ int.*".
 * Source: spec/hardware/main.fmf and tmt/hardware/constraints.py of tmt
 * (commit 1cacdb1f5).
 * Does not know keys. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/enum.h"

typedef enum ViommuComparison {
    VIOMMU_COMPARISON_EQUAL,     /* "=", "==" */
    VIOMMU_COMPARISON_NOT_EQUAL, /* "!=" */
    VIOMMU_COMPARISON_MATCH,     /* "~", "=~": a regular expression, anchored at the start only */
    VIOMMU_COMPARISON_NOT_MATCH, /* "!~" */
    VIOMMU_COMPARISON_LESS,      /* "<"; this and the following are for numbers */
    VIOMMU_COMPARISON_AT_MOST,   /* "<=" */
    VIOMMU_COMPARISON_GREATER,   /* ">" */
    VIOMMU_COMPARISON_AT_LEAST,  /* ">=" */
    VIOMMU_COMPARISON_LAST,
} ViommuComparison;

typedef struct ViommuCondition {
    ViommuComparison comparison;
    const char *value; /* points into the text */
} ViommuCondition;

/** Whether @text starts like an operator, perhaps like one that does not exist. */
bool viommu_condition_is(const char *text);
/** Splits @text, for which viommu_condition_is() holds; @key is named in the error.
 *  Fails: INVALID_REQUEST: the operator does not exist, or has no value. */
bool viommu_condition_split(const char *key, const char *text, ViommuCondition *ret_condition,
                            GError **error);
/** The same for a number: the operators are =, ==, !=, <, <=, > and >=; none means "=". */
bool viommu_condition_split_number(const char *key, const char *text, ViommuCondition *ret_condition,
                                   GError **error);
/** "true", "= false", "!= true": 0 or 1.  Case does not matter.  Fails: INVALID_REQUEST. */
bool viommu_condition_read_flag(const char *key, const char *text, int *ret_flag, GError **error);
