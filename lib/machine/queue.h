/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue: a fair queue.  Users take turns, each with its oldest item; the user served longest ago
 * comes first.  So an item waits for at most one item of each other user.  Does not know what the
 * items are. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuQueue ViommuQueue;

ViommuQueue *viommu_queue_new(void);
/** The items are the caller's. */
void viommu_queue_free(ViommuQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuQueue, viommu_queue_free)

/** @item not NULL, and not in the queue; borrowed. */
void viommu_queue_add(ViommuQueue *queue, uint32_t uid, void *item);
/** The next item, out of the queue; NULL when it is empty. */
void *viommu_queue_take(ViommuQueue *queue);
/** Whether it may be a user's turn now. */
typedef bool (*ViommuQueueFunc)(uint32_t uid, void *data);
/** The next item of a user for whom @may returns true; users for whom it returns false keep their
 *  place.  NULL: there is none. */
void *viommu_queue_take_if(ViommuQueue *queue, ViommuQueueFunc may, void *data);
/** False when it is not there. */
bool viommu_queue_remove(ViommuQueue *queue, uint32_t uid, void *item);

unsigned viommu_queue_length(const ViommuQueue *queue);
/** How many items would be taken before @item, and itself, if nothing were added; 0: it is not
 *  there. */
unsigned viommu_queue_position(const ViommuQueue *queue, uint32_t uid, const void *item);
/** Is told of an item and its position. */
typedef void (*ViommuQueuePositionFunc)(void *item, unsigned position, void *data);
/** Tells @func of every item, as viommu_queue_position() would, in the order of positions and in
 *  one pass.  @func must leave the queue as it is. */
void viommu_queue_foreach(const ViommuQueue *queue, ViommuQueuePositionFunc func, void *data);
