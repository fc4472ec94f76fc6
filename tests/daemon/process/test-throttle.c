/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-throttle: how much each user can have logged: separately, and bounded in total. */
#include "tests/unit/unit.h"

#include "daemon/process/throttle.h"

#define MINUTE (60 * G_USEC_PER_SEC)

static uint64_t told, told_of;

static void count(ViommuFlow flow, uint32_t uid, uint64_t left_out)
{
    told++;
    told_of += left_out;
}

static unsigned take(ViommuThrottle *throttle, ViommuFlow flow, uint32_t uid, unsigned n, uint64_t now)
{
    uint64_t left_out;
    unsigned written = 0;

    for (unsigned i = 0; i < n; i++)
        written += viommu_throttle_take(throttle, flow, uid, now, &left_out);
    return written;
}

START_TEST(users_are_apart)
{
    ViommuThrottle *throttle = viommu_throttle_new();

    told = told_of = 0;
    ck_assert_uint_eq(take(throttle, VIOMMU_FLOW_REFUSALS, 1000, 75000, MINUTE), 10);
    ck_assert_uint_eq(take(throttle, VIOMMU_FLOW_REFUSALS, 1001, 1, MINUTE), 1);
    ck_assert_uint_eq(take(throttle, VIOMMU_FLOW_REMARKS, 1000, 1, MINUTE), 1);
    ck_assert(viommu_throttle_tell(throttle, MINUTE, count));
    ck_assert_uint_eq(told, 0);
    ck_assert(!viommu_throttle_tell(throttle, 2 * MINUTE, count));
    ck_assert_uint_eq(told, 1);
    ck_assert_uint_eq(told_of, 75000 - 10);
    ck_assert(!viommu_throttle_tell(throttle, 3 * MINUTE, count));
    ck_assert_uint_eq(told, 1);
    viommu_throttle_free(throttle);
}
END_TEST

/* What floods one flow of a user leaves the others of the same user. */
START_TEST(flows_are_apart)
{
    ViommuThrottle *throttle = viommu_throttle_new();

    for (ViommuFlow flood = 0; flood < VIOMMU_FLOW_LAST; flood++) {
        take(throttle, flood, 1000 + flood, 1000, MINUTE);
        for (ViommuFlow flow = 0; flow < VIOMMU_FLOW_LAST; flow++)
            if (flow != VIOMMU_FLOW_OUTSIDERS)
                ck_assert_uint_eq(take(throttle, flow, 1000 + flood, 1, MINUTE), flow != flood);
    }
    viommu_throttle_free(throttle);
}
END_TEST

START_TEST(outsiders_share)
{
    ViommuThrottle *throttle = viommu_throttle_new();
    unsigned written = 0;

    for (uint32_t uid = 2000; uid < 3000; uid++)
        written += take(throttle, VIOMMU_FLOW_OUTSIDERS, uid, 5, MINUTE);
    ck_assert_uint_eq(written, 10);
    viommu_throttle_free(throttle);
}
END_TEST

/* However many users there are, the table is bounded, and so is their total. */
START_TEST(many_users)
{
    ViommuThrottle *throttle = viommu_throttle_new();
    unsigned written = 0;

    for (uint32_t uid = 0; uid < 100000; uid++)
        written += take(throttle, VIOMMU_FLOW_REFUSALS, uid, 1, MINUTE);
    ck_assert_uint_le(written, 4096 + 10);
    /* Later there is room again. */
    ck_assert_uint_eq(take(throttle, VIOMMU_FLOW_REFUSALS, 100001, 20, 20 * MINUTE), 10);
    viommu_throttle_free(throttle);
}
END_TEST

UNIT_MAIN("throttle", users_are_apart, flows_are_apart, outsiders_share, many_users)
