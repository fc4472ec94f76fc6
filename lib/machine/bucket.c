/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bucket: counts the tokens that were taken; time gives them back. */
#include "lib/machine/bucket.h"

static void refill(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec)
{
    uint64_t back = (now_usec - bucket->back_usec) / rule->refill_usec;

    if (back >= bucket->taken) {
        bucket->taken = 0;
        bucket->back_usec = now_usec;
        return;
    }
    bucket->taken -= back;
    bucket->back_usec += back * rule->refill_usec;
}

bool viommu_bucket_take(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec,
                        uint64_t *ret_left_out)
{
    refill(bucket, rule, now_usec);
    if (bucket->taken >= rule->burst) {
        bucket->left_out++;
        return false;
    }
    bucket->taken++;
    *ret_left_out = bucket->left_out;
    bucket->left_out = 0;
    return true;
}

bool viommu_bucket_is_idle(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec)
{
    refill(bucket, rule, now_usec);
    return bucket->taken == 0 && bucket->left_out == 0;
}
