/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proof: reads the output of a guest as a report, and judges it. */
#include "tests/fuzz/fuzz.h"

#include "lib/guest/proof.h"

/* Each attribute, and the highest level. */
#define EVERYTHING                                                                                     \
    "translate=on intremap=on eim=on xtsup=on caching-mode=on iotlb=on dma-translation=on aw-bits=48 " \
    "granule=4096 level=isolating"

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
    check_names(report->outside);
    fuzz_check(viommu_report_typed_groups(report) <= VIOMMU_REPORT_BYTES_MAX);
    for (int model = VIOMMU_MODEL_NONE; model < VIOMMU_MODEL_LAST; model++) {
        const ViommuProofWanted wanted = {(ViommuModel)model, EVERYTHING};
        g_auto(ViommuProof) proof = viommu_proof_judge(&wanted, report);
        fuzz_check(proof.verdict == VIOMMU_PROOF_PROVEN || proof.cause);
        fuzz_check(!proof.cause || g_str_is_ascii(proof.cause));
        fuzz_check(proof.verdict == VIOMMU_PROOF_PROVEN || proof.lacks);
    }
    return 0;
}
