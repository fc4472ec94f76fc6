/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tmt: the hardware requirement of a tmt plan, as keys of a request.
 * Source: spec/hardware/main.fmf, tmt/hardware and tmt/schemas/provision/hardware.yaml of tmt
 * 1.78.0.
 * Knows the names of tmt and of requests, not what a host has.  Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* More would only be tried in vain. */
#define VIOMMU_TMT_ALTERNATIVES_MAX 64u
#define VIOMMU_TMT_CONDITIONS_MAX   256u /* of one alternative */

typedef enum ViommuTmtVerdict {
    VIOMMU_TMT_VERDICT_OPEN,       /* the words of a request decide */
    VIOMMU_TMT_VERDICT_IMPOSSIBLE, /* whatever the request says */
    VIOMMU_TMT_VERDICT_NONE,       /* nobody judges it; no words */
} ViommuTmtVerdict;

typedef struct ViommuTmtCondition {
    char *name; /* "disk[0].size" */
    char *text; /* ">= 20 GB"; an operator is optional */
    ViommuTmtVerdict verdict;
    const char *why; /* it is impossible; else NULL.  Static */
} ViommuTmtCondition;

/** The alternatives of the requirement in @file (a{sv}, as read of YAML or JSON): a plan, whose
 *  provision has it, or the requirement itself.  "or" gives several, each complete; without a
 *  requirement there is one, which is empty.
 *  @return owned: a GPtrArray for each alternative, of ViommuTmtCondition.
 *  @ret_image: of a plan that provisions with viommu; else NULL; owned.
 *  Fails: INVALID_REQUEST naming the place. */
GPtrArray *viommu_tmt_read(GVariant *file, char **ret_image, GError **error);

/** The words KEY=VALUE of a request that satisfies all conditions of @alternative.  Owned,
 *  g_strfreev().
 *  Fails: INVALID_REQUEST: tmt does not know the name or the value; NOT_SUPPORTED: no machine of
 *  viommud can satisfy it, with every reason. */
char **viommu_tmt_words(const GPtrArray *alternative, GError **error);

/** "memory: >= 2 GB, labcontroller: not judged"; owned, g_free(). */
char *viommu_tmt_text(const GPtrArray *alternative);
