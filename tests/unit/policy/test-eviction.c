/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-eviction: whose guest ends. */
#include "tests/unit/unit.h"

#include "lib/policy/eviction.h"

static const struct {
    const char *what;
    ViommuTenant tenants[4];
    unsigned n;
    uint64_t missing_bytes;
    unsigned chosen;
} rows[] = {
    {"nobody", {{0, 0}}, 0, 0, 0},
    {"nobody, and much is missing", {{0, 0}}, 0, 5, 0},
    {"the only one", {{1000, 7}}, 1, 5, 0},
    {"something else fills it", {{1000, 2}, {1001, 2}}, 2, 5, 2},
    {"as much as is missing", {{1000, 2}, {1001, 3}}, 2, 5, 1},
    {"the larger one of a user", {{1000, 3}, {1000, 4}, {1000, 2}}, 3, 1, 1},
    {"the user with most, not the guest", {{1000, 5}, {1001, 3}, {1001, 4}, {1002, 6}}, 4, 1, 2},
    {"the same, in another order", {{1001, 4}, {1002, 6}, {1000, 5}, {1001, 3}}, 4, 1, 0},
    {"the first of equals", {{1000, 5}, {1001, 5}}, 2, 1, 0},
    {"nothing is written yet", {{1000, 0}, {1001, 0}}, 2, 0, 2},
};

START_TEST(chosen)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        ck_assert_msg(viommu_eviction_choose(rows[i].tenants, rows[i].n, rows[i].missing_bytes) ==
                          rows[i].chosen,
                      "%s", rows[i].what);
}
END_TEST

START_TEST(running_guests_have_half)
{
    ck_assert_uint_eq(viommu_eviction_limit(4096), 2048);
    ck_assert_uint_eq(viommu_eviction_limit(0), 0);
}
END_TEST

UNIT_MAIN("eviction", chosen, running_guests_have_half)
