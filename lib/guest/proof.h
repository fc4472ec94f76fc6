/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: judges by a guest's report whether its IOMMU is the planned one and what it does, and if
 * it is not, why. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/platform.h"
#include "lib/guest/report.h"
#include "lib/request/request.h"

/* The verdict on a guest's report. */
typedef enum ViommuProofVerdict {
    VIOMMU_PROOF_PROVEN,
    VIOMMU_PROOF_PENDING,   /* not yet, but it may follow */
    VIOMMU_PROOF_DISPROVED, /* waiting will not change it */
    VIOMMU_PROOF_LAST,
} ViommuProofVerdict;
extern const ViommuEnum viommu_enum_proof;

/* What the guest is to show; borrowed. */
typedef struct ViommuProofWanted {
    ViommuModel model; /* NONE: that there is no IOMMU */
    /* words of viommu_plan_report_proof(); NULL: an earlier viommud planned, nothing is known */
    const char *planned;
} ViommuProofWanted;

typedef struct ViommuProof {
    ViommuProofVerdict verdict;
    char *cause; /* why it is not proven, or a note on a proof; NULL: none */
    /* what it is not: "active", "as planned", "translating"; NULL: proven.  Static */
    const char *lacks;
    ViommuLevel level; /* of a proven IOMMU, the highest that the guest has shown */
    char **shown;      /* planned attributes that the guest shows as planned: "aw-bits=48" */
    char **not_shown;  /* planned attributes of which the guest shows nothing: "granule" */
} ViommuProof;
void viommu_proof_clear(ViommuProof *proof);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuProof, viommu_proof_clear)

/** The level that is wanted by @planned, as in ViommuProofWanted. */
ViommuLevel viommu_proof_wanted_level(const char *planned);
/** Compares the report with what is @wanted. */
ViommuProof viommu_proof_judge(const ViommuProofWanted *wanted, const ViommuReport *report);
