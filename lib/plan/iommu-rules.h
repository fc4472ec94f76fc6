/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommu-rules: the table of rules that judge one candidate.  A rule adds a reason only if it
 * refuses or restricts. */
#pragma once

#include "lib/plan/iommu.h"

/* The most vCPUs that x86 interrupts reach without extended interrupt mode. */
#define VIOMMU_X86_PLAIN_VCPUS 255u

/* One rule that judges one candidate. */
typedef struct ViommuJudging {
    const ViommuIommuInput *input;
    ViommuModel model;
    const char *name; /* the model's */
    ViommuCandidate *candidate;
    ViommuRule rule;
} ViommuJudging;

typedef struct ViommuIommuRule {
    ViommuRule rule; /* the rule of each reason that judge() adds */
    void (*judge)(const ViommuJudging *judging);
} ViommuIommuRule;

/** A row without judge ends the table.  The first row is "arch"; no other rule judges a model of
 *  another architecture. */
extern const ViommuIommuRule viommu_iommu_rules[];

/** Adds a reason to the candidate. */
void viommu_judge_note(const ViommuJudging *judging, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** Adds a reason and refuses the candidate. */
#define viommu_judge_refuse(judging, ...) \
    ((judging)->candidate->verdict = VIOMMU_VERDICT_REFUSED, viommu_judge_note(judging, __VA_ARGS__))

/** Judges @model by each rule; @candidate starts as possible, without reasons. */
void viommu_iommu_judge(const ViommuIommuInput *input, ViommuModel model, ViommuCandidate *candidate);

/** Whether the request assigns devices of the host. */
bool viommu_iommu_has_hostdevs(const ViommuIommuInput *input);
/** Whether a guest with this model boots by UEFI.  x86_64 boots by BIOS by default.  aarch64 boots
 *  a kernel without firmware, but a disk only by UEFI, and only UEFI has ACPI there; the virtio
 *  model, the smmuv3 of assigned devices and several of them need ACPI. */
bool viommu_iommu_takes_efi(const ViommuRequest *request, ViommuArch arch, ViommuModel model);
/** Whether the guest is to have more than one IOMMU. */
bool viommu_iommu_several(const ViommuRequest *request);

/** Whether the machine's virtio devices are legacy ones, which no IOMMU translates. */
bool viommu_iommu_has_legacy_virtio(const ViommuIommuInput *input);
/** Whether there are more vCPUs than x86 can address without EIM or XTSup. */
bool viommu_iommu_many_vcpus(const ViommuIommuInput *input);
