/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: judges by the output of tools/scripts/guest-report.sh whether a guest's IOMMU works, and
 * if not, why.  Reads text from a guest, which may be hostile; does not know how it arrived. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/platform.h"

/* The verdict on a guest's report. */
typedef enum ViommuProofVerdict {
    VIOMMU_PROOF_PROVEN,
    VIOMMU_PROOF_PENDING,   /* not yet, but it may follow */
    VIOMMU_PROOF_DISPROVED, /* waiting will not change it */
    VIOMMU_PROOF_LAST,
} ViommuProofVerdict;
extern const ViommuEnum viommu_enum_proof;

#define VIOMMU_REPORT_BEGIN "viommu-report begin"
#define VIOMMU_REPORT_END   "viommu-report end"
/* The longest report, markers included. */
#define VIOMMU_REPORT_BYTES_MAX 16384u
/* The most entries of one key; further ones are ignored. */
#define VIOMMU_REPORT_NAMES_MAX 64u

typedef struct ViommuReport {
    char *kernel;    /* release; "": unknown */
    char *cmdline;   /* "": unknown */
    char **iommus;   /* entries of /sys/class/iommu; these three are never NULL */
    char **tables;   /* of ACPI */
    char **drivers;  /* drivers of IOMMUs in the kernel */
    uint64_t groups; /* IOMMU groups, and devices in them */
    uint64_t devices;
    bool acpi, devicetree;
} ViommuReport;

/** The last complete report in @text, between its markers; all of it is printable ASCII.  NULL:
 *  there is none.  Owned. */
ViommuReport *viommu_report_find(const char *text, size_t size);
void viommu_report_free(ViommuReport *report);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuReport, viommu_report_free)

typedef struct ViommuProof {
    ViommuProofVerdict verdict;
    char *cause; /* why it is not proven, or a note on a proof; NULL: none */
} ViommuProof;
void viommu_proof_clear(ViommuProof *proof);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuProof, viommu_proof_clear)

/** Compares the report with the planned @model, which may be VIOMMU_MODEL_NONE. */
ViommuProof viommu_proof_judge(ViommuModel model, const ViommuReport *report);
