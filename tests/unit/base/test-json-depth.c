/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-json-depth: levels of brackets, and characters that only look like levels. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/base/json-depth.h"

static const struct {
    const char *text;
    unsigned within; /* the least depth that accepts it */
} cases[] = {
    {"", 0},
    {"[]", 0},
    {"{\"a\": 1}", 0},
    {"[[]]", 1},
    {"[[],[],[{}]]", 2},
    {"\"[[[[\"", 0},
    {"[\"\\\"[[\", []]", 1},
    {"]]]][", 0},
    {"[[[", 2},
    {"\"\\", 0},
};

START_TEST(each)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *text = cases[i].text;

        ck_assert_msg(viommu_nesting_is_within(text, strlen(text), cases[i].within), "%s", text);
        if (cases[i].within > 0)
            ck_assert_msg(!viommu_nesting_is_within(text, strlen(text), cases[i].within - 1), "%s", text);
    }
}
END_TEST

START_TEST(very_deep)
{
    g_autofree char *text = g_strnfill(1000000, '[');

    ck_assert(!viommu_nesting_is_within(text, 1000000, 8));
    ck_assert(viommu_nesting_is_within(text, 9, 8));
}
END_TEST

UNIT_MAIN("nesting", each, very_deep)
