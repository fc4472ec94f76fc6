/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-pause: each reason has words for people, and its word for programs stays. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/machine/pause.h"

static const struct {
    const char *word;
    bool trouble;
    const char *words; /* a part of them */
} expected[] = {
    {"none", false, ""},
    {"suspended", false, "viommuctl resume"},
    {"io-error", true, "kernel's messages"},
    {"disk-full", true, "disk full: "},
    {"other", false, "virsh domstate --reason"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(expected) == VIOMMU_PAUSE_LAST);

START_TEST(every_reason)
{
    for (int i = 0; i < VIOMMU_PAUSE_LAST; i++) {
        ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_pause, i), expected[i].word);
        ck_assert_int_eq(viommu_pause_is_trouble((ViommuPause)i), expected[i].trouble);
        ck_assert(strstr(viommu_pause_words((ViommuPause)i), expected[i].words));
    }
    ck_assert_str_eq(viommu_pause_words(VIOMMU_PAUSE_NONE), "");
}
END_TEST

UNIT_MAIN("pause", every_reason)
