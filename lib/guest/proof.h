/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: whether a guest's IOMMU works, by what tools/scripts/guest-report.sh says in the guest,
 * and why not. Reads text from a guest, which may be hostile; does not know how the text came
 * here. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/platform.h"

/* What a guest says of its IOMMU. */
typedef enum ViommuProofVerdict {
    VIOMMU_PROOF_PROVEN,
    VIOMMU_PROOF_PENDING,   /* not yet: it may still come */
    VIOMMU_PROOF_DISPROVED, /* and waiting changes nothing */
    VIOMMU_PROOF_LAST,
} ViommuProofVerdict;
extern const ViommuEnum viommu_enum_proof;

#define VIOMMU_REPORT_BEGIN "viommu-report begin"
#define VIOMMU_REPORT_END   "viommu-report end"
/* The most that a report takes, markers included. */
#define VIOMMU_REPORT_BYTES_MAX 16384u
/* The most entries of one key; more are not read. */
#define VIOMMU_REPORT_NAMES_MAX 64u

typedef struct ViommuReport {
    char *kernel;    /* release; "": not told */
    char *cmdline;   /* "": not told */
    char **iommus;   /* entries of /sys/class/iommu; these three are never NULL */
    char **tables;   /* ACPI's */
    char **drivers;  /* of IOMMUs, that the kernel has */
    uint64_t groups; /* IOMMU groups, and devices in them */
    uint64_t devices;
    bool acpi, devicetree;
} ViommuReport;

/** The last whole report in @text, between its markers; all in it is printable ASCII.  NULL: there
 *  is none. Owned. */
ViommuReport *viommu_report_find(const char *text, size_t size);
void viommu_report_free(ViommuReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuReport, viommu_report_free)

typedef struct ViommuProof {
    ViommuProofVerdict verdict;
    char *cause; /* in words: why it is not proven; or a note on what is; NULL: nothing to say */
} ViommuProof;
void viommu_proof_clear(ViommuProof *proof);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuProof, viommu_proof_clear)

/** Compares with what was planned: @model, or VIOMMU_MODEL_NONE. */
ViommuProof viommu_proof_judge(ViommuModel model, const ViommuReport *report);
