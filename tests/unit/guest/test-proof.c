/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proof: reports as guests print them, and the verdict on each. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/guest/proof.h"

#define REPORT(lines) "booting\r\n" VIOMMU_REPORT_BEGIN "\r\n" lines VIOMMU_REPORT_END "\r\n"
#define X86           "kernel 6.1\r\nacpi yes\r\ndevicetree no\r\n"
#define INTEL         X86 "table DMAR\r\ndriver intel-iommu\r\n"
#define ARM_TREE      "kernel 6.1\nacpi no\ndevicetree yes\n"

static const struct {
    ViommuModel model;
    const char *text;
    ViommuProofVerdict verdict;
    const char *says; /* part of the cause; NULL: there is none */
} cases[] = {
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "iommu dmar0\r\ngroups 3\r\ndevices 4\r\n"), VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline a iommu=pt b\r\niommu dmar0\r\ngroups 3\r\n"),
     VIOMMU_PROOF_PROVEN, "leaves DMA of its devices untranslated"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline iommu=pt iommu=nopt\r\niommu dmar0\r\ngroups 3\r\n"),
     VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "iommu dmar0\r\ngroups 0\r\n"), VIOMMU_PROOF_PENDING,
     "not bound: the guest has 'dmar0'"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "iommu dmar0\r\ngroups many\r\n"), VIOMMU_PROOF_PENDING, "not bound"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "groups 0\r\ncmdline intel_iommu=on intel_iommu=sm_on,off\r\n"),
     VIOMMU_PROOF_DISPROVED, "command line disables it: remove 'intel_iommu=off'"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline iommu=off quiet\r\n"), VIOMMU_PROOF_DISPROVED, "'iommu=off'"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline nolapic quiet\r\n"), VIOMMU_PROOF_DISPROVED, "'nolapic'"},
    {VIOMMU_MODEL_INTEL, REPORT("kernel 6.1\nacpi no\ncmdline acpi=off\n"), VIOMMU_PROOF_DISPROVED,
     "'acpi=off'"},
    {VIOMMU_MODEL_INTEL, REPORT("kernel 6.1\nacpi no\n"), VIOMMU_PROOF_DISPROVED, "without ACPI"},
    {VIOMMU_MODEL_INTEL, REPORT(X86), VIOMMU_PROOF_DISPROVED, "no ACPI table DMAR"},
    {VIOMMU_MODEL_INTEL, REPORT(X86 "table DMAR\n"), VIOMMU_PROOF_DISPROVED,
     "driver missing: kernel '6.1' has no intel-iommu (CONFIG_INTEL_IOMMU)"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline quiet\n"), VIOMMU_PROOF_DISPROVED, "add 'intel_iommu=on'"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline intel_iommu=on\n"), VIOMMU_PROOF_PENDING, "not bound"},
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "iommu 0000:00:02.0\ngroups 1\n"), VIOMMU_PROOF_DISPROVED,
     "'0000:00:02.0' instead of the planned intel"},
    {VIOMMU_MODEL_VIRTIO, REPORT(X86 "table VIOT\ndriver virtio_iommu\niommu 10000:00:02.0\ngroups 1\n"),
     VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_VIRTIO, REPORT(X86 "table VIOT\ndriver virtio_iommu\niommu 0000:00:02.0\ngroups 1\n"),
     VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_VIRTIO, REPORT(X86 "table VIOT\n"), VIOMMU_PROOF_PENDING, "driver missing"},
    {VIOMMU_MODEL_VIRTIO, REPORT(X86 "cmdline iommu=off\ntable VIOT\ndriver virtio_iommu\n"),
     VIOMMU_PROOF_PENDING, "not bound"},
    {VIOMMU_MODEL_VIRTIO, REPORT(ARM_TREE), VIOMMU_PROOF_DISPROVED, "no ACPI table VIOT"},
    {VIOMMU_MODEL_SMMUV3, REPORT(ARM_TREE "driver arm-smmu-v3\niommu smmu3.0x0000000009050000\ngroups 2\n"),
     VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_SMMUV3, REPORT(ARM_TREE), VIOMMU_PROOF_PENDING, "driver missing"},
    {VIOMMU_MODEL_SMMUV3, REPORT(ARM_TREE "driver arm-smmu-v3\n"), VIOMMU_PROOF_PENDING, "not bound"},
    {VIOMMU_MODEL_AMD, REPORT(X86 "table IVRS\ndriver amd-iommu\niommu ivhd0\ngroups 1\n"),
     VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_NONE, REPORT(X86), VIOMMU_PROOF_PROVEN, NULL},
    {VIOMMU_MODEL_NONE, REPORT(X86 "iommu dmar0\n"), VIOMMU_PROOF_DISPROVED, "the plan has no IOMMU"},
    /* The last report counts, whatever came before. */
    {VIOMMU_MODEL_NONE, REPORT("iommu dmar0\n") REPORT(X86) VIOMMU_REPORT_BEGIN "\niommu x\n",
     VIOMMU_PROOF_PROVEN, NULL},
};

START_TEST(test_verdicts)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(ViommuReport) report = viommu_report_find(cases[i].text, strlen(cases[i].text));
        g_auto(ViommuProof) proof = {VIOMMU_PROOF_LAST, NULL};

        ck_assert_msg(report != NULL, "case %zu: no report", i);
        proof = viommu_proof_judge(cases[i].model, report);
        ck_assert_msg(proof.verdict == cases[i].verdict, "case %zu: %s: %s", i,
                      viommu_enum_to_string(&viommu_enum_proof, (int)proof.verdict), proof.cause);
        ck_assert_msg(!proof.cause == !cases[i].says, "case %zu: %s", i, proof.cause);
        ck_assert_msg(!proof.cause || strstr(proof.cause, cases[i].says), "case %zu: %s", i, proof.cause);
    }
}
END_TEST

static const char *const none[] = {
    "",
    "login: ",
    VIOMMU_REPORT_BEGIN "\niommu dmar0\n",
    "iommu dmar0\n" VIOMMU_REPORT_END "\n",
    VIOMMU_REPORT_END "\n" VIOMMU_REPORT_BEGIN "\n",
};

START_TEST(test_no_report)
{
    for (size_t i = 0; i < G_N_ELEMENTS(none); i++)
        ck_assert_ptr_null(viommu_report_find(none[i], strlen(none[i])));
}
END_TEST

START_TEST(test_bounds)
{
    g_autoptr(GString) many = g_string_new(VIOMMU_REPORT_BEGIN "\n"),
                       huge = g_string_new(VIOMMU_REPORT_BEGIN "\n");
    g_autoptr(ViommuReport) report = NULL;

    for (unsigned i = 0; i < VIOMMU_REPORT_NAMES_MAX + 9; i++)
        g_string_append_printf(many, "iommu dmar%u\x1b[m\n", i);
    g_string_append(many, VIOMMU_REPORT_END);
    report = viommu_report_find(many->str, many->len);
    ck_assert_uint_eq(g_strv_length(report->iommus), VIOMMU_REPORT_NAMES_MAX);
    ck_assert_str_eq(report->iommus[1], "dmar1?[m");
    while (huge->len <= VIOMMU_REPORT_BYTES_MAX)
        g_string_append(huge, "cmdline x\n");
    g_string_append(huge, VIOMMU_REPORT_END);
    ck_assert_ptr_null(viommu_report_find(huge->str, huge->len));
}
END_TEST

UNIT_MAIN("proof", test_verdicts, test_no_report, test_bounds)
