/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* waiters: an array that is emptied before the waiters are answered. */
#include "daemon/machines/waiters.h"

struct ViommuWaiters {
    GArray *all; /* of ViommuWaiter */
};

static GArray *new_array(void)
{
    return g_array_new(FALSE, FALSE, sizeof(ViommuWaiter));
}

ViommuWaiters *viommu_waiters_new(void)
{
    ViommuWaiters *waiters = g_new0(ViommuWaiters, 1);

    waiters->all = new_array();
    return waiters;
}

void viommu_waiters_free(ViommuWaiters *waiters)
{
    if (!waiters)
        return;
    g_array_unref(waiters->all);
    g_free(waiters);
}

void viommu_waiters_add(ViommuWaiters *waiters, const ViommuWaiter *waiter)
{
    g_array_append_val(waiters->all, *waiter);
}

unsigned viommu_waiters_count(const ViommuWaiters *waiters)
{
    return waiters->all->len;
}

void viommu_waiters_join(ViommuWaiters *waiters, ViommuWaiters *from)
{
    g_array_append_vals(waiters->all, from->all->data, from->all->len);
    g_array_set_size(from->all, 0);
}

void viommu_waiters_answer(ViommuWaiters *waiters, const ViommuOutcome *outcome)
{
    g_autoptr(GArray) all = waiters->all;

    waiters->all = new_array();
    for (guint i = 0; i < all->len; i++)
        viommu_waiter_answer(&g_array_index(all, ViommuWaiter, i), outcome);
}
