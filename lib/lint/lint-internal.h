/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint-internal: what the files of lint share: a judging under way, and the way to add a finding.
 * Only for lib/lint. */
#pragma once

#include "lib/lint/domain-read.h"
#include "lib/lint/lint.h"
#include "lib/plan/plan.h"

typedef struct ViommuLinting {
    const ViommuLintInput *input;
    ViommuHost host; /* that of the input, with the domain's own firmware.  Borrows from it */
    ViommuDomainRead *read;
    const ViommuPlan *plan; /* of what was not dropped; NULL until the planner refuses nothing */
    const ViommuEmulator *emulator;
    ViommuLint *lint;
} ViommuLinting;

/** Adds a finding at @node (NULL: the domain) or its @attribute.  The sentences of the planner
 *  speak of a request's keys; here they get a domain's words.  @remedy may be NULL.  Borrowed. */
ViommuFinding *viommu_lint_add(ViommuLinting *linting, ViommuSeverity severity, ViommuRule rule,
                               const xmlNode *node, const char *attribute, const char *remedy,
                               const char *format, ...) G_GNUC_PRINTF(7, 8);
/** Sets attribute @name of @node, as the remedy of @finding; @value NULL: removes it. */
void viommu_lint_set(ViommuLinting *linting, ViommuFinding *finding, const xmlNode *node, const char *name,
                     const char *value);
/** Adds @child to @node, as the remedy of @finding. */
void viommu_lint_add_child(ViommuLinting *linting, ViommuFinding *finding, const xmlNode *node,
                           const char *child);
/** The part of @key that was not dropped; NULL: there is none.  Borrowed. */
const ViommuDomainPart *viommu_lint_part(const ViommuLinting *linting, const char *key);
/** lint-words: a sentence of the planner in a domain's words.  Owned. */
char *viommu_lint_translate(const char *text);
/** lint-offloaded: judges a device that an IOMMU may not serve, and that the plan would have behind
 *  it. */
void viommu_lint_compare_offloaded(ViommuLinting *linting, const ViommuDomainDevice *device);
/** lint-offloaded: adds that other programs cannot reach the guest's memory. */
void viommu_lint_compare_shared_memory(ViommuLinting *linting);
/** lint-compare: adds what the plan has, and the domain lacks. */
void viommu_lint_compare(ViommuLinting *linting);
