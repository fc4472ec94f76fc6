/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* throttle: a bounded table of buckets; when it is full, new users share one. */
#include "daemon/process/throttle.h"

#include "lib/machine/bucket.h"

#define BUCKETS_MAX 4096u
/* How often the whole table is searched, which costs time. */
#define CLEAN_USEC G_USEC_PER_SEC

static const ViommuBucketRule rules[] = {
    [VIOMMU_FLOW_REFUSALS] = {10, 60 * G_USEC_PER_SEC},  [VIOMMU_FLOW_FAILURES] = {100, 2 * G_USEC_PER_SEC},
    [VIOMMU_FLOW_OUTSIDERS] = {10, 60 * G_USEC_PER_SEC}, [VIOMMU_FLOW_TROUBLE] = {30, 10 * G_USEC_PER_SEC},
    [VIOMMU_FLOW_PAUSES] = {30, 10 * G_USEC_PER_SEC},    [VIOMMU_FLOW_REMARKS] = {30, 10 * G_USEC_PER_SEC},
};
G_STATIC_ASSERT(G_N_ELEMENTS(rules) == VIOMMU_FLOW_LAST);

typedef struct Entry {
    gint64 key; /* from flow and uid */
    ViommuBucket bucket;
} Entry;

struct ViommuThrottle {
    GHashTable *entries; /* Entry, by its key; owned */
    uint64_t cleaned_usec;
};

static gint64 make_key(ViommuFlow flow, uint32_t uid)
{
    return ((gint64)flow << 32) | uid;
}

static ViommuFlow flow_of(const Entry *entry)
{
    return (ViommuFlow)(entry->key >> 32);
}

ViommuThrottle *viommu_throttle_new(void)
{
    ViommuThrottle *throttle = g_new0(ViommuThrottle, 1);

    throttle->entries = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    return throttle;
}

void viommu_throttle_free(ViommuThrottle *throttle)
{
    if (!throttle)
        return;
    g_hash_table_unref(throttle->entries);
    g_free(throttle);
}

static void clean(ViommuThrottle *throttle, uint64_t now_usec)
{
    GHashTableIter iterator;
    void *value;

    if (now_usec - throttle->cleaned_usec < CLEAN_USEC)
        return;
    throttle->cleaned_usec = now_usec;
    g_hash_table_iter_init(&iterator, throttle->entries);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        if (viommu_bucket_is_idle(&((Entry *)value)->bucket, &rules[flow_of(value)], now_usec))
            g_hash_table_iter_remove(&iterator);
}

/* Borrowed. */
static Entry *find_entry(ViommuThrottle *throttle, ViommuFlow flow, uint32_t uid, uint64_t now_usec)
{
    gint64 key = make_key(flow, uid);
    Entry *entry = g_hash_table_lookup(throttle->entries, &key);

    if (entry)
        return entry;
    if (g_hash_table_size(throttle->entries) >= BUCKETS_MAX && uid != VIOMMU_THROTTLE_NOBODY) {
        clean(throttle, now_usec);
        if (g_hash_table_size(throttle->entries) >= BUCKETS_MAX)
            return find_entry(throttle, flow, VIOMMU_THROTTLE_NOBODY, now_usec);
    }
    entry = g_new0(Entry, 1);
    entry->key = key;
    g_hash_table_insert(throttle->entries, &entry->key, entry);
    return entry;
}

bool viommu_throttle_take(ViommuThrottle *throttle, ViommuFlow flow, uint32_t uid, uint64_t now_usec,
                          uint64_t *ret_left_out)
{
    Entry *entry =
        find_entry(throttle, flow, flow == VIOMMU_FLOW_OUTSIDERS ? VIOMMU_THROTTLE_NOBODY : uid, now_usec);

    return viommu_bucket_take(&entry->bucket, &rules[flow], now_usec, ret_left_out);
}

static bool tell_one(Entry *entry, uint64_t now_usec, ViommuThrottleFunc func)
{
    uint64_t left_out, before = entry->bucket.left_out;

    if (before == 0)
        return false;
    if (!viommu_bucket_take(&entry->bucket, &rules[flow_of(entry)], now_usec, &left_out)) {
        entry->bucket.left_out = before;
        return true;
    }
    func(flow_of(entry), (uint32_t)entry->key, left_out);
    return false;
}

bool viommu_throttle_tell(ViommuThrottle *throttle, uint64_t now_usec, ViommuThrottleFunc func)
{
    GHashTableIter iterator;
    bool more = false;
    void *value;

    g_hash_table_iter_init(&iterator, throttle->entries);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        more = tell_one(value, now_usec, func) || more;
    return more;
}
