/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-cmdline: reads words as Linux does; off-words.c relies on it. */
#include "lib/base/cmdline.h"
#include "tests/unit/unit.h"

START_TEST(words_of_a_line)
{
    static const struct {
        const char *cmdline, *word, *undone_by;
        bool says;
    } cases[] = {
        {NULL, "noapic", NULL, false},
        {"", "noapic", NULL, false},
        {"quiet noapic", "noapic", NULL, true},
        {"noapic2 no apic", "noapic", NULL, false},
        {"noapic=1", "noapic", NULL, false},
        {"a intel_iommu=off", "intel_iommu=off", NULL, true},
        {"intel-iommu=off", "intel_iommu=off", NULL, true},
        {"module-blacklist=x,virtio_iommu", "module_blacklist=virtio_iommu", NULL, true},
        {"intel_iommu=sm_on,off", "intel_iommu=off", NULL, true},
        {"intel_iommu=offline", "intel_iommu=off", NULL, false},
        {"no_intel_iommu=off", "intel_iommu=off", NULL, false},
        {"intel_iommu", "intel_iommu=off", NULL, false},
        {"intel_iommu=\"off\"", "intel_iommu=off", NULL, true},
        {"\"intel_iommu=off\" quiet", "intel_iommu=off", NULL, true},
        {"\"quiet\" \"noapic\"", "noapic", NULL, true},
        {"\"--\" noapic", "noapic", NULL, false},
        {"x=\"a -- b\" noapic", "noapic", NULL, true},
        {"\" \" noapic", "noapic", NULL, true},
        {"x=\"a intel_iommu=off b\"", "intel_iommu=off", NULL, false},
        {"-- intel_iommu=off", "intel_iommu=off", NULL, false},
        {"--intel_iommu=off", "intel_iommu=off", NULL, false},
        /* the last one counts */
        {"intel_iommu=off intel_iommu=on", "intel_iommu=off", "intel_iommu=on", false},
        {"intel_iommu=on,off", "intel_iommu=off", "intel_iommu=on", true},
        {"intel_iommu=on\tintel_iommu=off", "intel_iommu=off", "intel_iommu=on", true},
        {"intel_iommu=off -- intel_iommu=on", "intel_iommu=off", "intel_iommu=on", true},
        {"blacklist=a blacklist=b", "blacklist=a", "blacklist=", false},
        {"blacklist=b blacklist=c,a", "blacklist=a", "blacklist=", true},
        {"blacklist=a blacklisted=b blacklist", "blacklist=a", "blacklist=", true},
        {"nointremap intremap=on", "nointremap", "intremap=on", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++)
        ck_assert_msg(viommu_cmdline_says(cases[i].cmdline, cases[i].word, cases[i].undone_by) ==
                          cases[i].says,
                      "%s: %s", cases[i].cmdline, cases[i].word);
}
END_TEST

UNIT_MAIN("cmdline", words_of_a_line)
