/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof-attributes: compares the planned attributes of an IOMMU with the registers and the log
 * that a guest's report shows. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/platform.h"
#include "lib/guest/report.h"

typedef struct ViommuProofAttributes {
    char **shown, **not_shown; /* as in ViommuProof; never NULL */
    char *difference;          /* the first one, in words; NULL: there is none */
} ViommuProofAttributes;
void viommu_proof_attributes_clear(ViommuProofAttributes *attributes);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuProofAttributes, viommu_proof_attributes_clear)

/** Compares @planned, words "KEY=VALUE" with a blank between them or NULL, with @report.  The
 *  caller clears the result. */
ViommuProofAttributes viommu_proof_attributes_compare(ViommuModel model, const char *planned,
                                                      const ViommuReport *report);
/** Whether the plan has interrupt remapping in x2apic mode, in the words of its model. */
bool viommu_proof_wants_x2apic(const char *planned);
/** The value of @key in @planned; NULL: there is none.  Owned. */
char *viommu_proof_planned(const char *planned, const char *key);
