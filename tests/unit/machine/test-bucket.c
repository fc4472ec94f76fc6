/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-bucket: a burst, then one event per period, and the count of suppressed events. */
#include "tests/unit/unit.h"

#include "lib/machine/bucket.h"

static const ViommuBucketRule rule = {3, 100};

START_TEST(a_burst_and_then_one_in_a_while)
{
    ViommuBucket bucket = {0};
    uint64_t left_out = 7;

    for (uint64_t i = 0; i < 3; i++) {
        ck_assert(viommu_bucket_take(&bucket, &rule, 5000 + i, &left_out));
        ck_assert_uint_eq(left_out, 0);
    }
    for (uint64_t now = 5003; now < 5100; now++)
        ck_assert(!viommu_bucket_take(&bucket, &rule, now, &left_out));
    ck_assert(viommu_bucket_take(&bucket, &rule, 5100, &left_out));
    ck_assert_uint_eq(left_out, 97);
    ck_assert(!viommu_bucket_take(&bucket, &rule, 5199, &left_out));
    ck_assert(viommu_bucket_take(&bucket, &rule, 5200, &left_out));
    ck_assert_uint_eq(left_out, 1);
}
END_TEST

START_TEST(the_burst_comes_back)
{
    ViommuBucket bucket = {0};
    uint64_t left_out;

    for (unsigned i = 0; i < 3; i++)
        ck_assert(viommu_bucket_take(&bucket, &rule, 0, &left_out));
    ck_assert(!viommu_bucket_is_idle(&bucket, &rule, 299));
    ck_assert(viommu_bucket_is_idle(&bucket, &rule, 300));
    for (unsigned i = 0; i < 3; i++)
        ck_assert(viommu_bucket_take(&bucket, &rule, 100000, &left_out));
    ck_assert(!viommu_bucket_take(&bucket, &rule, 100000, &left_out));
    /* Suppressed events have not been reported yet. */
    ck_assert(!viommu_bucket_is_idle(&bucket, &rule, 200000));
}
END_TEST

UNIT_MAIN("bucket", a_burst_and_then_one_in_a_while, the_burst_comes_back)
