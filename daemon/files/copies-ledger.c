/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copies-ledger: a table. */
#include "daemon/files/copies-ledger.h"

struct ViommuLedger {
    GHashTable *entries; /* UUID, owned -> Entry, owned */
};

typedef struct Entry {
    uint32_t uid;
    ViommuCopiesSize size;
} Entry;

ViommuLedger *viommu_ledger_new(void)
{
    ViommuLedger *ledger = g_new(ViommuLedger, 1);

    ledger->entries = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    return ledger;
}

void viommu_ledger_free(ViommuLedger *ledger)
{
    if (!ledger)
        return;
    g_hash_table_unref(ledger->entries);
    g_free(ledger);
}

void viommu_ledger_note(ViommuLedger *ledger, const char *uuid, uint32_t uid, const ViommuCopiesSize *size)
{
    Entry *entry;

    if (size->bytes == 0 && size->overlay_bytes == 0) {
        viommu_ledger_drop(ledger, uuid);
        return;
    }
    entry = g_new(Entry, 1);
    *entry = (Entry){uid, *size};
    g_hash_table_replace(ledger->entries, g_strdup(uuid), entry);
}

void viommu_ledger_drop(ViommuLedger *ledger, const char *uuid)
{
    g_hash_table_remove(ledger->entries, uuid);
}

bool viommu_ledger_has(const ViommuLedger *ledger, const char *uuid)
{
    return g_hash_table_contains(ledger->entries, uuid);
}

static void add(ViommuCopiesSize *sum, const ViommuCopiesSize *size)
{
    sum->bytes += size->bytes;
    sum->overlay_bytes += MIN(size->overlay_bytes, (uint64_t)INT64_MAX - sum->overlay_bytes);
}

/* uid -> the sum, owned */
static GHashTable *sum_users(const ViommuLedger *ledger)
{
    GHashTable *users = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    GHashTableIter iterator;
    void *value;

    g_hash_table_iter_init(&iterator, ledger->entries);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        const Entry *entry = value;
        ViommuCopiesSize *sum = g_hash_table_lookup(users, GUINT_TO_POINTER(entry->uid));

        if (!sum)
            g_hash_table_insert(users, GUINT_TO_POINTER(entry->uid), sum = g_new0(ViommuCopiesSize, 1));
        add(sum, &entry->size);
    }
    return users;
}

void viommu_ledger_sum(const ViommuLedger *ledger, uint32_t uid, uint64_t user_max_bytes,
                       ViommuCopiesSize *ret_all, ViommuCopiesSize *ret_user)
{
    g_autoptr(GHashTable) users = sum_users(ledger);
    ViommuCopiesSize all = {0, 0}, user = {0, 0};
    GHashTableIter iterator;
    void *key, *value;

    g_hash_table_iter_init(&iterator, users);
    while (g_hash_table_iter_next(&iterator, &key, &value)) {
        ViommuCopiesSize sum = *(const ViommuCopiesSize *)value;

        if (GPOINTER_TO_UINT(key) == uid)
            user = sum;
        if (user_max_bytes && GPOINTER_TO_UINT(key) != 0)
            sum.bytes = MIN(sum.bytes, user_max_bytes);
        add(&all, &sum);
    }
    *ret_all = all;
    *ret_user = user;
}

GPtrArray *viommu_ledger_list(const ViommuLedger *ledger)
{
    GPtrArray *uuids = g_ptr_array_new_with_free_func(g_free);
    GHashTableIter iterator;
    void *uuid;

    g_hash_table_iter_init(&iterator, ledger->entries);
    while (g_hash_table_iter_next(&iterator, &uuid, NULL))
        g_ptr_array_add(uuids, g_strdup(uuid));
    return uuids;
}
