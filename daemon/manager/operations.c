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
    operation->launch_waiters = g_array_new(FALSE, FALSE, sizeof(ViommuWaiter));
    operation->stop_waiters = g_array_new(FALSE, FALSE, sizeof(ViommuWaiter));
    operation->extend_waiters = g_array_new(FALSE, FALSE, sizeof(ViommuWaiter));
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
    g_assert(operation->launch_waiters->len == 0 && operation->stop_waiters->len == 0);
    g_assert(operation->extend_waiters->len == 0);
    viommu_launch_free(operation->launch);
    viommu_stop_free(operation->stop);
    viommu_extension_free(operation->extension);
    g_array_unref(operation->launch_waiters);
    g_array_unref(operation->stop_waiters);
    g_array_unref(operation->extend_waiters);
    g_free(operation->uuid);
    g_free(operation);
}

void viommu_operation_answer(GArray *waiters, const ViommuOutcome *outcome)
{
    g_autoptr(GArray) all = g_array_copy(waiters);

    g_array_set_size(waiters, 0);
    for (guint i = 0; i < all->len; i++)
        viommu_waiter_answer(&g_array_index(all, ViommuWaiter, i), outcome);
}

void viommu_operations_fail_all(GHashTable *operations, const GError *error)
{
    ViommuOutcome outcome = {.error = error};
    GHashTableIter iterator;
    void *value;

    g_hash_table_iter_init(&iterator, operations);
    while (g_hash_table_iter_next(&iterator, NULL, &value)) {
        ViommuOperation *operation = value;
        viommu_operation_answer(operation->launch_waiters, &outcome);
        viommu_operation_answer(operation->stop_waiters, &outcome);
        viommu_operation_answer(operation->extend_waiters, &outcome);
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
