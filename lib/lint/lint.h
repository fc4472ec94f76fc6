/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint: judges a domain of any writer by the rules that judge a request.
 *
 * The planner judges one neutral description: a request, in which "unset" is a value.  So a domain
 * is read into one, and no rule stands here a second time:
 *
 *   domain XML --domain-read--> parts (key of a request, value, place in the XML), devices
 *   parts      --viommu_request_parse--> request --viommu_plan_build--> plan, or reasons against it
 *
 * What the planner refuses, the domain must not have: the place of such a finding is the smallest
 * part without which the planner refuses something else or nothing, and the plan that is made
 * without it says what should stand there.  What the plan has and the domain lacks is the other
 * kind of finding: the table of missing attributes, and the devices that a plan would put behind
 * the IOMMU.  Remedies that need no choice are edits of the text (xml-edit).
 * Knows no libvirt, files or users. */
#pragma once

#include "lib/guest/kernel.h"
#include "lib/host/host.h"
#include "lib/lint/xml-edit.h"
#include "lib/base/reason.h"
#include "lib/policy/policy.h"

/* The longest text that is read. */
#define VIOMMU_LINT_BYTES_MAX (4u * 1024 * 1024)

typedef enum ViommuSeverity {
    VIOMMU_SEVERITY_NOTE,    /* worth knowing; nothing is wrong */
    VIOMMU_SEVERITY_WARNING, /* the guest starts, and does not have all that it seems to have */
    VIOMMU_SEVERITY_ERROR,   /* the domain would not work as it is written */
    VIOMMU_SEVERITY_LAST,
} ViommuSeverity;
extern const ViommuEnum viommu_enum_severity;

typedef struct ViommuFinding {
    ViommuSeverity severity;
    ViommuRule rule;
    char *path; /* "/domain/devices/iommu/driver/@eim" */
    unsigned line;
    char *text;
    char *remedy; /* NULL: the text says all */
    bool fixable; /* its edits are in the result */
} ViommuFinding;

typedef struct ViommuLintInput {
    const char *xml;
    const char *os; /* what runs in the guest, as in guest.os; NULL: what the domain says */
    const ViommuHost *host;
    const ViommuPolicy *policy;
    const ViommuKernel *kernel; /* what was read of the guest's kernel; NULL: nothing */
} ViommuLintInput;

typedef struct ViommuLint {
    GPtrArray *findings; /* of ViommuFinding, in the order of the text */
    ViommuXmlEdits *edits;
} ViommuLint;

void viommu_lint_free(ViommuLint *lint);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuLint, viommu_lint_free)

/** Judges a domain.  @return owned.  Fails: INVALID_REQUEST, when the text is no domain of QEMU, or
 *  larger than what libvirt writes.  Pure; any thread. */
ViommuLint *viommu_lint_judge(const ViommuLintInput *input, GError **error);
/** The highest severity of the findings; NOTE when there is none. */
ViommuSeverity viommu_lint_worst(const ViommuLint *lint);
/** The text with the edits of all findings that have some, made again until none is left.  What
 *  no edit touches is kept byte for byte.  *ret_rest: what is left of the findings; owned.  Owned.
 *  Fails: as viommu_lint_judge(). */
char *viommu_lint_fix(const ViommuLintInput *input, ViommuLint **ret_rest, GError **error);
/** The path of the kernel that the domain boots directly; NULL: none.  Owned. */
char *viommu_lint_kernel(const char *xml);
