/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bucket: how often something may happen: some times at once, then once in a while; and how often it did not.  Is told the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuBucketRule {
    uint64_t burst;       /* at once, at least 1 */
    uint64_t refill_usec; /* one more after so long, at least 1 */
} ViommuBucketRule;

/* All zero: nothing has been taken. */
typedef struct ViommuBucket {
    uint64_t taken;     /* of the burst, and not back yet */
    uint64_t back_usec; /* since when the next one is on its way back */
    uint64_t left_out;  /* how often there was none to take, since there was one */
} ViommuBucket;

/** One more at @now_usec, which never goes back.  True: it may happen; *ret_left_out: how often it did not since the last time. */
bool viommu_bucket_take(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec,
                        uint64_t *ret_left_out);
/** Whether it is as if nothing had ever been taken. */
bool viommu_bucket_is_idle(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec);
