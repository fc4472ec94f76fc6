/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proof: reports as guests print them, and the verdict on each.  Those in data/reports are
 * recorded: what guest-report printed on guests of tests/qemu. */
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
    {VIOMMU_MODEL_INTEL, REPORT(INTEL "cmdline \"intel_iommu=off\" quiet\r\n"), VIOMMU_PROOF_DISPROVED,
     "command line disables it: remove 'intel_iommu=off'"},
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
        g_auto(ViommuProof) proof = {VIOMMU_PROOF_LAST};

        ck_assert_msg(report != NULL, "case %zu: no report", i);
        proof = viommu_proof_judge(&(ViommuProofWanted){cases[i].model, NULL}, report);
        ck_assert_msg(proof.verdict == cases[i].verdict, "case %zu: %s: %s", i,
                      viommu_enum_to_string(&viommu_enum_proof, (int)proof.verdict), proof.cause);
        ck_assert_msg(!proof.cause == !cases[i].says, "case %zu: %s", i, proof.cause);
        ck_assert_msg(!proof.cause || strstr(proof.cause, cases[i].says), "case %zu: %s", i, proof.cause);
    }
}
END_TEST

#define TYPED    INTEL "iommu dmar0\ngroups 2\ntype DMA-FQ\n"
#define DMA      TYPED "type DMA\n"
#define WHOLE    DMA "untranslated 0\n"
#define CAP      "register dmar0 intel-iommu/cap d2008c222f0686\n"
#define ECAP     "register dmar0 intel-iommu/ecap f00f4e\n"
#define ECAP_EIM "register dmar0 intel-iommu/ecap f00f5e\n"

/* What is planned is compared with what is shown; other lines show nothing. */
static const struct {
    ViommuModel model;
    const char *planned, *text;
    ViommuProofVerdict verdict;
    const char *lacks, *says; /* part of the cause; NULL: none */
    ViommuLevel level;
    const char *shown, *not_shown; /* joined */
} planned_cases[] = {
    {VIOMMU_MODEL_INTEL,
     "translate=on intremap=on eim=off aw-bits=48 caching-mode=on iotlb=on dma-translation=on",
     REPORT(WHOLE CAP ECAP "interrupts remapped\n"), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_TRANSLATING, "intremap=on eim=off aw-bits=48 caching-mode=on iotlb=on dma-translation=on",
     ""},
    {VIOMMU_MODEL_INTEL, "intremap=on aw-bits=48 later=7", REPORT(WHOLE ECAP "interrupts remapped\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "intremap=on", "aw-bits later"},
    {VIOMMU_MODEL_INTEL, "aw-bits=39", REPORT(WHOLE CAP), VIOMMU_PROOF_DISPROVED, "as planned",
     "its aw-bits is 48 in the guest's intel-iommu/cap, but 39 in the plan"},
    {VIOMMU_MODEL_INTEL, "caching-mode=off", REPORT(WHOLE CAP), VIOMMU_PROOF_DISPROVED, "as planned",
     "its caching-mode is on in the guest's intel-iommu/cap, but off in the plan"},
    {VIOMMU_MODEL_INTEL, "intremap=off", REPORT(WHOLE ECAP), VIOMMU_PROOF_DISPROVED, "as planned",
     "its intremap is on"},
    {VIOMMU_MODEL_INTEL, "eim=on", REPORT(WHOLE ECAP), VIOMMU_PROOF_DISPROVED, "as planned",
     "its eim is off"},
    {VIOMMU_MODEL_INTEL, "iotlb=off", REPORT(WHOLE ECAP), VIOMMU_PROOF_DISPROVED, "as planned",
     "its iotlb is on"},
    {VIOMMU_MODEL_INTEL, "dma-translation=on",
     REPORT(WHOLE "register dmar0 intel-iommu/cap d2008c222f0086\n"), VIOMMU_PROOF_DISPROVED, "as planned",
     "its dma-translation is off"},
    /* The mode of interrupt remapping. */
    {VIOMMU_MODEL_INTEL, "intremap=on eim=on", REPORT(WHOLE ECAP_EIM "interrupts remapped\nmode x2apic\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "intremap=on eim=on", ""},
    {VIOMMU_MODEL_INTEL, "intremap=on eim=on", REPORT(WHOLE ECAP_EIM "interrupts remapped\nmode xapic\n"),
     VIOMMU_PROOF_PROVEN, NULL, "the IOMMU works, but remaps interrupts in xapic mode",
     VIOMMU_LEVEL_TRANSLATING, "intremap=on eim=on", ""},
    {VIOMMU_MODEL_INTEL, "intremap=on eim=on level=translating",
     REPORT(WHOLE ECAP_EIM "interrupts remapped\nlog DMAR-IR: Enabled IRQ remapping in xapic mode\n"),
     VIOMMU_PROOF_PROVEN, NULL, "remaps interrupts in xapic mode", VIOMMU_LEVEL_TRANSLATING,
     "intremap=on eim=on", ""},
    {VIOMMU_MODEL_INTEL, "intremap=on eim=on",
     REPORT(WHOLE ECAP_EIM "interrupts remapped\nmode x2[ 2.1] usb\n"), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_TRANSLATING, "intremap=on eim=on", "x2apic"},
    {VIOMMU_MODEL_INTEL, "intremap=on eim=off", REPORT(WHOLE ECAP "interrupts remapped\nmode xapic\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "intremap=on eim=off", ""},
    {VIOMMU_MODEL_INTEL, "intremap=on eim=on translate=off",
     REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\ninterrupts remapped\nmode xapic\n"),
     VIOMMU_PROOF_PROVEN, NULL, "remaps interrupts in xapic mode", VIOMMU_LEVEL_PRESENT, "", "intremap eim"},
    {VIOMMU_MODEL_INTEL, "intremap=on translate=off",
     REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\ninterrupts direct\n"), VIOMMU_PROOF_PROVEN,
     NULL, "does not remap interrupts", VIOMMU_LEVEL_PRESENT, "", "intremap"},
    {VIOMMU_MODEL_INTEL, "intremap=on eim=on dma-translation=off",
     REPORT(INTEL "groups 0\ninterrupts remapped\nmode xapic\n"), VIOMMU_PROOF_PROVEN, NULL,
     "only remaps interrupts, but it remaps interrupts in xapic mode", VIOMMU_LEVEL_PRESENT, "",
     "intremap eim dma-translation"},
    /* Torn lines. */
    {VIOMMU_MODEL_INTEL, "aw-bits=39", REPORT(WHOLE "register dmar0 intel-iommu/cap d20[    2.1] x\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "", "aw-bits"},
    {VIOMMU_MODEL_INTEL, "aw-bits=39", REPORT(WHOLE "register dmar0 d2\nregister dmar0 intel-iommu/cap +1\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "", "aw-bits"},
    {VIOMMU_MODEL_AMD, "xtsup=on iotlb=on intremap=on",
     REPORT(
         X86
         "iommu ivhd0\ngroups 1\ntype DMA\nuntranslated 0\nregister ivhd0 amd-iommu/features 29d3:0\ninterrupts remapped\n"),
     VIOMMU_PROOF_DISPROVED, "as planned", "its xtsup is off in the guest's amd-iommu/features"},
    {VIOMMU_MODEL_AMD, "xtsup=on iotlb=on intremap=on",
     REPORT(
         X86
         "iommu ivhd0\ngroups 1\ntype DMA\nuntranslated 0\nregister ivhd0 amd-iommu/features 0:29d7\ninterrupts remapped\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "xtsup=on intremap=on", "iotlb x2apic"},
    {VIOMMU_MODEL_AMD, "xtsup=on",
     REPORT(X86
            "iommu ivhd0\ngroups 1\ntype DMA\nuntranslated 0\nregister ivhd0 amd-iommu/features 1:29d7\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "", "xtsup"},
    {VIOMMU_MODEL_VIRTIO, "aw-bits=39 granule=4096",
     REPORT(
         X86
         "iommu 0000:00:02.0\ngroups 1\ntype DMA\nuntranslated 0\nlog [ 1.0] virtio_iommu virtio0: input address: 39 bits\n"
         "log [ 1.0] virtio_iommu virtio0: page mask: 0xfffffffffffff000\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "aw-bits=39 granule=4096", ""},
    {VIOMMU_MODEL_VIRTIO, "granule=4096",
     REPORT(
         X86
         "iommu 0000:00:02.0\ngroups 1\ntype DMA\nuntranslated 0\nlog virtio_iommu virtio0: page mask: 0xffffffffffff0000\n"),
     VIOMMU_PROOF_DISPROVED, "as planned",
     "its granule is 65536 in the guest's kernel's log, but 4096 in the plan"},
    {VIOMMU_MODEL_VIRTIO, "granule=host",
     REPORT(X86 "iommu 0000:00:02.0\ngroups 1\ntype DMA\nuntranslated 0\n"), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_TRANSLATING, "", "granule"},
    {VIOMMU_MODEL_SMMUV3, "count=2",
     REPORT(X86 "iommu smmu3.0x1\niommu smmu3.0x2\ngroups 1\ntype DMA\nuntranslated 0\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "count=2", ""},
    {VIOMMU_MODEL_SMMUV3, "count=2", REPORT(X86 "iommu smmu3.0x1\ngroups 1\ntype DMA\nuntranslated 0\n"),
     VIOMMU_PROOF_DISPROVED, "as planned",
     "its count is 1 in the guest's /sys/class/iommu, but 2 in the plan"},
    /* Levels. */
    {VIOMMU_MODEL_INTEL, "intremap=on", REPORT(WHOLE "interrupts direct\n"), VIOMMU_PROOF_PROVEN, NULL,
     "does not remap interrupts", VIOMMU_LEVEL_PRESENT, "", "intremap"},
    {VIOMMU_MODEL_INTEL, NULL, REPORT(WHOLE "interrupts direct\n"), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_TRANSLATING, "", ""},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(INTEL "iommu dmar0\ngroups 2\n"), VIOMMU_PROOF_DISPROVED,
     "translating", "let the guest run the guest-report of this viommud"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(TYPED "type identity\ncmdline iommu=pt\n"),
     VIOMMU_PROOF_DISPROVED, "translating",
     "it leaves DMA of its devices untranslated: 1 of 2 IOMMU groups have the type identity; remove 'iommu=pt'"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(TYPED "type identity\n"), VIOMMU_PROOF_DISPROVED,
     "translating", "add 'iommu.passthrough=0'"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\n"),
     VIOMMU_PROOF_DISPROVED, "translating",
     "it does not translate for 0000:00:05.0 (virtio without iommu_platform)"},
    {VIOMMU_MODEL_INTEL, "level=translating",
     REPORT(DMA "outside 0000:00:05.0 virtio\noutside 0000:00:06.0 no-group\nuntranslated 2\n"),
     VIOMMU_PROOF_PENDING, "translating", "0000:00:06.0 (in no IOMMU group)"},
    {VIOMMU_MODEL_INTEL, "level=translating",
     REPORT(INTEL "iommu dmar0\ngroups 1\ntype blocked\nuntranslated 0\n"), VIOMMU_PROOF_DISPROVED,
     "translating", "none has the type DMA or DMA-FQ"},
    /* The kernel has printed into the report. */
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(DMA "outside 0000:[ 2.1] usb\nuntranslated 1\n"),
     VIOMMU_PROOF_PENDING, "translating", "a part of the guest's report is missing"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(DMA "untranslated 1[ 2.1] usb\n"), VIOMMU_PROOF_PENDING,
     "translating", "a part of the guest's report is missing"},
    {VIOMMU_MODEL_INTEL, "level=translating intremap=on", REPORT(DMA "untranslated 0\ninter[ 2.1] usb\n"),
     VIOMMU_PROOF_PENDING, "translating", "a part of the guest's report is missing"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(TYPED "ty[ 2.1] usb\n"), VIOMMU_PROOF_PENDING,
     "translating", "a part of the guest's report is missing"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(DMA "untr[ 2.1] usb\n"), VIOMMU_PROOF_PENDING,
     "translating", "a part of the guest's report is missing"},
    {VIOMMU_MODEL_INTEL, "level=translating", REPORT(WHOLE), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_TRANSLATING, "", ""},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(WHOLE "isolation fault\n"), VIOMMU_PROOF_PROVEN, NULL,
     NULL, VIOMMU_LEVEL_ISOLATING, "", ""},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(WHOLE), VIOMMU_PROOF_DISPROVED, "isolating",
     "it was not asked to stop a device: let the guest run guest-report --isolate"},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(WHOLE "isolation none\n"), VIOMMU_PROOF_DISPROVED,
     "isolating", "it did not stop a DMA of the guest's spare SATA controller"},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(WHOLE "isolation no-group\n"), VIOMMU_PROOF_PENDING,
     "isolating", "until its driver (ahci) is loaded"},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(WHOLE "isolation fault\nisolation maybe\n"),
     VIOMMU_PROOF_DISPROVED, "isolating", "was not asked"},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(TYPED "type identity\nisolation fault\n"),
     VIOMMU_PROOF_DISPROVED, "isolating", "it leaves DMA of its devices untranslated"},
    {VIOMMU_MODEL_INTEL, NULL, REPORT(WHOLE "isolation locked\n"), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_TRANSLATING, "", ""},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(WHOLE "isolation in-use\n"), VIOMMU_PROOF_DISPROVED,
     "isolating", "has a disk; the level that it has shown is 'translating'"},
    {VIOMMU_MODEL_INTEL, "level=isolating", REPORT(TYPED "type identity\n"), VIOMMU_PROOF_DISPROVED,
     "isolating", "the level that it has shown is 'present'"},
    /* Several SMMUs. */
    {VIOMMU_MODEL_SMMUV3, "units=2",
     REPORT(ARM_TREE "iommu smmu3.0x1\niommu other\ngroups 1\ntype DMA\nuntranslated 0\n"),
     VIOMMU_PROOF_PENDING, "as planned", "1 of the planned IOMMUs are missing"},
    {VIOMMU_MODEL_SMMUV3, "units=2",
     REPORT(ARM_TREE "iommu smmu3.0x1\niommu smmu3.0x2\ngroups 1\ntype DMA\nuntranslated 0\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "", ""},
    /* Only interrupts are remapped. */
    {VIOMMU_MODEL_INTEL, "intremap=on dma-translation=off", REPORT(INTEL "groups 0\ninterrupts remapped\n"),
     VIOMMU_PROOF_PROVEN, NULL, "only remaps interrupts, as planned", VIOMMU_LEVEL_PRESENT, "",
     "intremap dma-translation"},
    {VIOMMU_MODEL_INTEL, "dma-translation=off", REPORT(INTEL "groups 0\ninterrupts direct\n"),
     VIOMMU_PROOF_DISPROVED, "active", "does not remap interrupts"},
    {VIOMMU_MODEL_INTEL, "dma-translation=off", REPORT(INTEL "groups 0\n"), VIOMMU_PROOF_DISPROVED, "active",
     "does not show whether its kernel remaps interrupts"},
    /* A later level, which this viommud does not know. */
    {VIOMMU_MODEL_INTEL, "level=perfect", REPORT(INTEL "iommu dmar0\ngroups 2\n"), VIOMMU_PROOF_PROVEN, NULL,
     NULL, VIOMMU_LEVEL_PRESENT, "", ""},
    /* Outside as planned. */
    {VIOMMU_MODEL_INTEL, "translate=off", REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_PRESENT, "", ""},
    {VIOMMU_MODEL_INTEL, "translate=on", REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\n"),
     VIOMMU_PROOF_PROVEN, NULL, "the IOMMU works, but does not translate for 0000:00:05.0",
     VIOMMU_LEVEL_PRESENT, "", ""},
    {VIOMMU_MODEL_INTEL, "translate=on outside=1",
     REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\n"), VIOMMU_PROOF_PROVEN, NULL, NULL,
     VIOMMU_LEVEL_PRESENT, "", ""},
    {VIOMMU_MODEL_INTEL, "translate=on outside=1",
     REPORT(DMA "outside 0000:00:05.0 virtio\noutside 0000:00:06.0 virtio\nuntranslated 2\n"),
     VIOMMU_PROOF_PROVEN, NULL, "0000:00:06.0 (virtio without iommu_platform)", VIOMMU_LEVEL_PRESENT, "", ""},
    {VIOMMU_MODEL_INTEL, "translate=on outside=many",
     REPORT(DMA "outside 0000:00:05.0 virtio\nuntranslated 1\n"), VIOMMU_PROOF_PROVEN, NULL,
     "the IOMMU works, but does not translate for 0000:00:05.0", VIOMMU_LEVEL_PRESENT, "", ""},
    {VIOMMU_MODEL_INTEL, "translate=off",
     REPORT(DMA "outside 0000:00:05.0 virtio\noutside 0000:00:06.0 odd\nuntranslated 2\n"),
     VIOMMU_PROOF_PROVEN, NULL, "0000:00:06.0 (in a group of another type)", VIOMMU_LEVEL_PRESENT, "", ""},
    /* An address is checked, since messages have it. */
    {VIOMMU_MODEL_INTEL, NULL, REPORT(DMA "outside ../etc virtio\noutside 0000:00:05.0\nuntranslated 0\n"),
     VIOMMU_PROOF_PROVEN, NULL, NULL, VIOMMU_LEVEL_TRANSLATING, "", ""},
};

static void assert_words(size_t i, char **got, const char *wanted)
{
    g_autofree char *joined = got ? g_strjoinv(" ", got) : NULL;

    ck_assert_msg(g_strcmp0(joined, wanted) == 0, "case %zu: '%s' instead of '%s'", i, joined, wanted);
}

START_TEST(test_planned)
{
    for (size_t i = 0; i < G_N_ELEMENTS(planned_cases); i++) {
        g_autoptr(ViommuReport) report =
            viommu_report_find(planned_cases[i].text, strlen(planned_cases[i].text));
        const ViommuProofWanted wanted = {planned_cases[i].model, planned_cases[i].planned};
        g_auto(ViommuProof) proof = viommu_proof_judge(&wanted, report);

        ck_assert_msg(proof.verdict == planned_cases[i].verdict, "case %zu: %s: %s", i,
                      viommu_enum_to_string(&viommu_enum_proof, (int)proof.verdict), proof.cause);
        ck_assert_msg(g_strcmp0(proof.lacks, planned_cases[i].lacks) == 0, "case %zu: %s", i, proof.lacks);
        ck_assert_msg(!proof.cause == !planned_cases[i].says, "case %zu: %s", i, proof.cause);
        ck_assert_msg(!proof.cause || strstr(proof.cause, planned_cases[i].says), "case %zu: %s", i,
                      proof.cause);
        if (proof.verdict != VIOMMU_PROOF_PROVEN)
            continue;
        ck_assert_msg(proof.level == planned_cases[i].level, "case %zu: level %d", i, (int)proof.level);
        assert_words(i, proof.shown, planned_cases[i].shown);
        assert_words(i, proof.not_shown, planned_cases[i].not_shown);
    }
}
END_TEST

/* Of each recorded report: its file, what was planned, and what it proves. */
static const struct {
    const char *file;
    ViommuModel model;
    const char *planned, *level, *interrupts, *shown, *not_shown, *says; /* part of the note */
} recorded[] = {
    {"x86_64-debian13-intel", VIOMMU_MODEL_INTEL,
     "translate=on intremap=on eim=off caching-mode=on iotlb=on dma-translation=on aw-bits=48", "translating",
     "remapped-xapic", "intremap=on eim=off caching-mode=on iotlb=on dma-translation=on aw-bits=48", ""},
    {"x86_64-debian13-intel-passthrough", VIOMMU_MODEL_INTEL, "translate=on intremap=off aw-bits=39",
     "present", "direct", "intremap=off aw-bits=39", ""},
    {"x86_64-debian12-intel", VIOMMU_MODEL_INTEL, "translate=on intremap=on aw-bits=39", "translating",
     "remapped-xapic", "intremap=on aw-bits=39", ""},
    {"x86_64-debian11-intel", VIOMMU_MODEL_INTEL, "translate=on caching-mode=off aw-bits=39", "translating",
     "remapped-xapic", "caching-mode=off aw-bits=39", ""},
    {"x86_64-debian12-intel-bypass", VIOMMU_MODEL_INTEL, "translate=off intremap=on aw-bits=39", "present",
     "remapped-xapic", "intremap=on aw-bits=39", ""},
    {"x86_64-debian13-virtio", VIOMMU_MODEL_VIRTIO, "translate=on aw-bits=64 granule=4096", "translating",
     "direct", "aw-bits=64 granule=4096", ""},
    {"x86_64-debian13-virtio-isolating", VIOMMU_MODEL_VIRTIO, "translate=on granule=4096 level=isolating",
     "isolating", "direct", "granule=4096", ""},
    {"x86_64-debian13-virtio-passthrough", VIOMMU_MODEL_VIRTIO, "translate=on granule=4096", "present",
     "direct", "granule=4096", "", "remove 'iommu.passthrough=1'"},
    {"x86_64-debian13-intel-eim", VIOMMU_MODEL_INTEL, "translate=on intremap=on eim=on level=isolating",
     "isolating", "remapped-x2apic", "intremap=on eim=on", ""},
    {"x86_64-debian13-intel-eim-nox2apic", VIOMMU_MODEL_INTEL, "translate=on intremap=on eim=on", "isolating",
     "remapped-xapic", "intremap=on eim=on", "", "remaps interrupts in xapic mode"},
    {"x86_64-debian13-amd", VIOMMU_MODEL_AMD, "translate=off intremap=on xtsup=on iotlb=off", "present",
     "remapped-x2apic", "intremap=on xtsup=on", "iotlb", "remove 'iommu=pt'"},
    {"aarch64-debian13-smmuv3-isolating", VIOMMU_MODEL_SMMUV3, "translate=on level=isolating", "isolating",
     NULL, "", ""},
    {"aarch64-debian13-smmuv3-passthrough", VIOMMU_MODEL_SMMUV3, "translate=on", "present", NULL, "", "",
     "remove 'iommu.passthrough=1'"},
    {"aarch64-debian13-smmuv3-several", VIOMMU_MODEL_SMMUV3, "translate=on units=2 ats=on oas=48",
     "isolating", NULL, "", "ats oas"},
    {"aarch64-debian13-virtio-isolating", VIOMMU_MODEL_VIRTIO, "translate=on granule=4096 level=isolating",
     "isolating", NULL, "granule=4096", ""},
    {"aarch64-debian13-smmuv3", VIOMMU_MODEL_SMMUV3, "translate=on", "translating", NULL, "", ""},
    {"aarch64-debian13-virtio", VIOMMU_MODEL_VIRTIO, "translate=on granule=4096", "translating", NULL,
     "granule=4096", ""},
};

START_TEST(test_recorded)
{
    for (size_t i = 0; i < G_N_ELEMENTS(recorded); i++) {
        g_autofree char *path = g_build_filename(UNIT_DATA, "reports", recorded[i].file, NULL), *text = NULL;
        const ViommuProofWanted wanted = {recorded[i].model, recorded[i].planned};
        g_autoptr(ViommuReport) report = NULL;
        g_auto(ViommuProof) proof = {VIOMMU_PROOF_LAST};
        gsize size;

        ck_assert_msg(g_file_get_contents(path, &text, &size, NULL), "%s", path);
        report = viommu_report_find(text, size);
        ck_assert_msg(report != NULL, "%s", path);
        proof = viommu_proof_judge(&wanted, report);
        ck_assert_msg(proof.verdict == VIOMMU_PROOF_PROVEN, "%s: %s", path, proof.cause);
        ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_level, (int)proof.level), recorded[i].level);
        ck_assert_pstr_eq(viommu_report_interrupts(report), recorded[i].interrupts);
        ck_assert_msg(!recorded[i].says || (proof.cause && strstr(proof.cause, recorded[i].says)), "%s: %s",
                      path, proof.cause);
        assert_words(i, proof.shown, recorded[i].shown);
        assert_words(i, proof.not_shown, recorded[i].not_shown);
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

UNIT_MAIN("proof", test_verdicts, test_planned, test_recorded, test_no_report, test_bounds)
