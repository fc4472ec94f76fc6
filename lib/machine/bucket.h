/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bucket: a token bucket: an event may happen @burst times at once and then once per
 * @refill_usec; counts the events that were suppressed.  The caller passes the time. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuBucketRule {
    uint64_t burst;       /* events at once, at least 1 */
    uint64_t refill_usec; /* time after which one more token is there, at least 1 */
} ViommuBucketRule;

/* All zero: no token has been taken. */
typedef struct ViommuBucket {
    uint64_t taken;     /* tokens taken and not back yet */
    uint64_t back_usec; /* since when the next token is on its way back */
    uint64_t left_out;  /* events suppressed since the last one that happened */
} ViommuBucket;

/** Takes a token at @now_usec, which never goes back.  True: the event may happen, and
 *  *ret_left_out is how many were suppressed since the last one that happened. */
bool viommu_bucket_take(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec,
                        uint64_t *ret_left_out);
/** Whether the bucket is full again, as if no token had been taken. */
bool viommu_bucket_is_idle(ViommuBucket *bucket, const ViommuBucketRule *rule, uint64_t now_usec);
