/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report: a plan, or a refusal, as the tree for the bus and --json, and as text for people. */
#pragma once

#include "lib/plan/plan.h"

/** @xml borrowed.  Floating a{sv}: iommu, warnings, notes, memlock-bytes, domain-xml, name, uuid,
 *  arch, machine, accelerator, firmware, vcpus, memory-bytes.  iommu.model is a maybe string: null
 *  in JSON, "" on the bus. */
GVariant *viommu_plan_report(const ViommuPlan *plan, const char *xml);
/** @reasons of ViommuReason, may be NULL.  Floating aa{sv}: model (when the reason has one), rule,
 *  text. */
GVariant *viommu_plan_report_reasons(const GPtrArray *reasons);
/** What the guest must show of its IOMMU, for ViommuProofWanted: words "KEY=VALUE" with a blank
 *  between them, sizes in bytes.  NULL: there is no IOMMU.  Owned, g_free(). */
char *viommu_plan_report_proof(const ViommuPlan *plan);
/** The choice, each candidate with its reasons, defaults, side effects; lines of
 *  text. Owned, g_free(). */
char *viommu_plan_explain(const ViommuPlan *plan);
