/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operations: a table and its waiters.  Does not know what the operations do. */
#include "daemon/manager/operations.h"

GHashTable *viommu_operations_new(void)
{
    return g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)viommu_operation_free);
}

ViommuOperation *viommu_operations_add(GHashTable *operations, const char *uuid)
{
    ViommuOperation *operation = g_new0(ViommuOperation, 1);

    operation->uuid = g_strdup(uuid);
    operation->launch_waiters = viommu_waiters_new();
    operation->stop_waiters = viommu_waiters_new();
    operation->extend_waiters = viommu_waiters_new();
    g_assert(!g_hash_table_contains(operations, uuid));
    g_hash_table_insert(operations, operation->uuid, operation);
    return operation;
}

ViommuOperation *viommu_operations_take(GHashTable *operations, const char *uuid)
{
    void *operation = NULL;

    g_hash_table_steal_extended(operations, uuid, NULL, &operation);
    return operation;
}

void viommu_operation_free(ViommuOperation *operation)
{
    if (!operation)
        return;
    g_assert(viommu_waiters_count(operation->launch_waiters) == 0);
    g_assert(viommu_waiters_count(operation->stop_waiters) == 0);
    g_assert(viommu_waiters_count(operation->extend_waiters) == 0);
    viommu_launch_free(operation->launch);
    viommu_stop_free(operation->stop);
    viommu_extension_free(operation->extension);
    viommu_waiters_free(operation->launch_waiters);
    viommu_waiters_free(operation->stop_waiters);
    viommu_waiters_free(operation->extend_waiters);
    g_free(operation->uuid);
    g_free(operation);
}

void viommu_operations_fail_all(GHashTable *operations, const GError *error)
{
    ViommuOutcome outcome = {.error = error};
    GHashTableIter iterator;
    void *value;

    g_hash_table_iter_init(&iterator, operations);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        ViommuOperation *operation = value;
        viommu_waiters_answer(operation->launch_waiters, &outcome);
        viommu_waiters_answer(operation->stop_waiters, &outcome);
        viommu_waiters_answer(operation->extend_waiters, &outcome);
    }
}

void viommu_operations_hurry_all(GHashTable *operations)
{
    GHashTableIter iterator;
    void *value;

    g_hash_table_iter_init(&iterator, operations);
    while (g_hash_table_iter_next(&iterator, NULL, &value))
        if (((ViommuOperation *)value)->stop)
            viommu_stop_hurry(((ViommuOperation *)value)->stop);
}
