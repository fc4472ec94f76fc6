/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue: a fair queue.  Users take turns, each with its oldest item; the user served longest ago
 * comes first, so an item waits for at most one item of each other user.  Does not know what the
 * items are. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuQueue ViommuQueue;

ViommuQueue *viommu_queue_new(void);
/** The queue borrows its items. */
void viommu_queue_free(ViommuQueue *queue);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuQueue, viommu_queue_free)

/** Adds @item, which is not NULL and not in the queue; borrowed. */
void viommu_queue_add(ViommuQueue *queue, uint32_t uid, void *item);
/** Takes out the next item; NULL when the queue is empty. */
void *viommu_queue_take(ViommuQueue *queue);
/** Whether the turn of a user may come now. */
typedef bool (*ViommuQueueFunc)(uint32_t uid, void *data);
/** Takes out the next item of a user for whom @may returns true; other users keep their place.
 *  NULL: there is none. */
void *viommu_queue_take_if(ViommuQueue *queue, ViommuQueueFunc may, void *data);
/** Removes @item; false when it is not in the queue. */
bool viommu_queue_remove(ViommuQueue *queue, uint32_t uid, void *item);

unsigned viommu_queue_length(const ViommuQueue *queue);
/** The position of @item: how many items would be taken up to and with it if nothing were added; 0:
 *  it is not in the queue. */
unsigned viommu_queue_position(const ViommuQueue *queue, uint32_t uid, const void *item);
/** Receives an item and its position. */
typedef void (*ViommuQueuePositionFunc)(void *item, unsigned position, void *data);
/** Calls @func for each item, with the position that viommu_queue_position() would return, in the
 *  order of positions and in one pass.  @func must not change the queue. */
void viommu_queue_foreach(const ViommuQueue *queue, ViommuQueuePositionFunc func, void *data);
