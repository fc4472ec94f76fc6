/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* waiters: everybody who waits for one answer.  Does not know the question. */
#pragma once

#include "daemon/machines/reply.h"

typedef struct ViommuWaiters ViommuWaiters;

/** Nobody waits yet. Owned. */
ViommuWaiters *viommu_waiters_new(void);
/** Whoever still waits is never answered. */
void viommu_waiters_free(ViommuWaiters *waiters);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuWaiters, viommu_waiters_free)

/** @waiter is copied, and answered once. */
void viommu_waiters_add(ViommuWaiters *waiters, const ViommuWaiter *waiter);
unsigned viommu_waiters_count(const ViommuWaiters *waiters);
/** Those of @from join @waiters; nobody waits in @from any more. */
void viommu_waiters_join(ViommuWaiters *waiters, ViommuWaiters *from);
/** Answers all in their order.  Nobody waits any more before the first one is answered, so each of
 *  them may add a new waiter, or free @waiters. */
void viommu_waiters_answer(ViommuWaiters *waiters, const ViommuOutcome *outcome);
