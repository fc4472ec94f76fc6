/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommu-rules: the table of rules that judge one candidate.  Each rule speaks only when it
 * refuses or restricts. */
#pragma once

#include "lib/plan/iommu.h"

/* The most vCPUs that x86 interrupts reach without extended interrupt mode. */
#define VIOMMU_X86_PLAIN_VCPUS 255u

/* One rule that judges one candidate. */
typedef struct ViommuJudging {
    const ViommuIommuInput *input;
    ViommuModel model;
    const char *name; /* of the model */
    ViommuCandidate *candidate;
    ViommuRule rule;
} ViommuJudging;

typedef struct ViommuIommuRule {
    ViommuRule rule; /* of every reason that judge adds */
    void (*judge)(const ViommuJudging *judging);
} ViommuIommuRule;

/** Ended by a row without judge.  The first is "arch", after which no other rule judges a model of
 *  another architecture. */
extern const ViommuIommuRule viommu_iommu_rules[];

/** Adds a reason to the candidate. */
void viommu_judge_note(const ViommuJudging *judging, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** Adds a reason, for which the candidate is refused. */
#define viommu_judge_refuse(judging, ...) \
    ((judging)->candidate->verdict = VIOMMU_VERDICT_REFUSED, viommu_judge_note(judging, __VA_ARGS__))

/** Judges @model by every rule; @candidate starts as possible, without reasons. */
void viommu_iommu_judge(const ViommuIommuInput *input, ViommuModel model, ViommuCandidate *candidate);

/** The host's devices are to be assigned. */
bool viommu_iommu_has_hostdevs(const ViommuIommuInput *input);
/** Whether a guest of this model is started by UEFI: x86_64 boots BIOS unless told otherwise;
 *  aarch64 boots a kernel by itself, a disk only with UEFI, and has ACPI, which the virtio model
 *  and the smmuv3 of assigned devices need, only with UEFI. */
bool viommu_iommu_takes_efi(const ViommuRequest *request, ViommuArch arch, ViommuModel model);

/** More vCPUs than x86 can address without EIM or XTSup. */
bool viommu_iommu_many_vcpus(const ViommuIommuInput *input);
