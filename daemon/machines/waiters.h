/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* waiters: all that wait for one answer.  Does not know the question. */
#pragma once

#include "daemon/machines/reply.h"

typedef struct ViommuWaiters ViommuWaiters;

/** An empty list.  Owned. */
ViommuWaiters *viommu_waiters_new(void);
/** Remaining waiters are never answered. */
void viommu_waiters_free(ViommuWaiters *waiters);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuWaiters, viommu_waiters_free)

/** Adds a copy of @waiter, which is answered once. */
void viommu_waiters_add(ViommuWaiters *waiters, const ViommuWaiter *waiter);
unsigned viommu_waiters_count(const ViommuWaiters *waiters);
/** Moves the waiters of @from to @waiters. */
void viommu_waiters_join(ViommuWaiters *waiters, ViommuWaiters *from);
/** Answers all in order.  The list is emptied first, so that each may add a new waiter, or free
 *  @waiters. */
void viommu_waiters_answer(ViommuWaiters *waiters, const ViommuOutcome *outcome);
