/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: reads the output of a guest as a report, and judges it. */
#include "tests/fuzz/fuzz.h"

#include "lib/guest/proof.h"

static void check_names(char **names)
{
    fuzz_check(g_strv_length(names) <= VIOMMU_REPORT_NAMES_MAX);
    for (; *names; names++)
        fuzz_check(g_str_is_ascii(*names));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(ViommuReport) report = viommu_report_find((const char *)data, size);

    if (!report)
        return 0;
    check_names(report->iommus);
    check_names(report->tables);
    check_names(report->drivers);
    for (int model = VIOMMU_MODEL_NONE; model < VIOMMU_MODEL_LAST; model++) {
        g_auto(ViommuProof) proof = viommu_proof_judge((ViommuModel)model, report);
        fuzz_check(proof.verdict == VIOMMU_PROOF_PROVEN || proof.cause);
        fuzz_check(!proof.cause || g_str_is_ascii(proof.cause));
    }
    return 0;
}
