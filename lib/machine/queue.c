/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* queue: a ring of users, each with a line of items. */
#include "lib/machine/queue.h"

/* The line of one user; an empty line is kept for the user's next item. */
typedef struct Line {
    uint32_t uid;
    GQueue items;
    uint64_t served; /* the number of its last turn; 0: none yet */
} Line;

struct ViommuQueue {
    GQueue turns;      /* of Line, the user served longest ago first; no line is empty */
    GHashTable *lines; /* uid -> Line, owned */
    uint64_t served;   /* number of turns so far */
    unsigned length;
};

static void free_line(void *data)
{
    Line *line = data;

    g_queue_clear(&line->items);
    g_free(line);
}

ViommuQueue *viommu_queue_new(void)
{
    ViommuQueue *queue = g_new0(ViommuQueue, 1);

    g_queue_init(&queue->turns);
    queue->lines = g_hash_table_new_full(NULL, NULL, NULL, free_line);
    return queue;
}

void viommu_queue_free(ViommuQueue *queue)
{
    if (!queue)
        return;
    g_queue_clear(&queue->turns);
    g_hash_table_unref(queue->lines);
    g_free(queue);
}

static Line *find_line(const ViommuQueue *queue, uint32_t uid)
{
    return g_hash_table_lookup(queue->lines, GUINT_TO_POINTER(uid));
}

/* Not at the end: a user who returns after a while must not wait for a user served just now. */
static void join_turns(ViommuQueue *queue, Line *line)
{
    GList *turn = queue->turns.head;

    while (turn && ((const Line *)turn->data)->served <= line->served)
        turn = turn->next;
    if (turn)
        g_queue_insert_before(&queue->turns, turn, line);
    else
        g_queue_push_tail(&queue->turns, line);
}

void viommu_queue_add(ViommuQueue *queue, uint32_t uid, void *item)
{
    Line *line = find_line(queue, uid);

    if (!line) {
        line = g_new0(Line, 1);
        line->uid = uid;
        g_queue_init(&line->items);
        g_hash_table_insert(queue->lines, GUINT_TO_POINTER(uid), line);
    }
    if (g_queue_is_empty(&line->items))
        join_turns(queue, line);
    g_queue_push_tail(&line->items, item);
    queue->length++;
}

void *viommu_queue_take_if(ViommuQueue *queue, ViommuQueueFunc may, void *data)
{
    GList *turn = queue->turns.head;
    Line *line;
    void *item;

    while (turn && may && !may(((const Line *)turn->data)->uid, data))
        turn = turn->next;
    if (!turn)
        return NULL;
    line = turn->data;
    g_queue_delete_link(&queue->turns, turn);
    item = g_queue_pop_head(&line->items);
    queue->length--;
    line->served = ++queue->served;
    if (!g_queue_is_empty(&line->items))
        g_queue_push_tail(&queue->turns, line);
    return item;
}

void *viommu_queue_take(ViommuQueue *queue)
{
    return viommu_queue_take_if(queue, NULL, NULL);
}

bool viommu_queue_remove(ViommuQueue *queue, uint32_t uid, void *item)
{
    Line *line = find_line(queue, uid);

    if (!line || !g_queue_remove(&line->items, item))
        return false;
    queue->length--;
    if (g_queue_is_empty(&line->items))
        g_queue_remove(&queue->turns, line);
    return true;
}

unsigned viommu_queue_length(const ViommuQueue *queue)
{
    return queue->length;
}

unsigned viommu_queue_position(const ViommuQueue *queue, uint32_t uid, const void *item)
{
    Line *own = find_line(queue, uid);
    int index = own ? g_queue_index(&own->items, item) : -1;
    bool before = true; /* lines whose turn comes first have one round more */
    unsigned position = 0;

    if (index < 0)
        return 0;
    for (const GList *turn = queue->turns.head; turn; turn = turn->next) {
        const Line *line = turn->data;

        before = before && line != own;
        position += MIN(line->items.length, (unsigned)index + (before || line == own ? 1 : 0));
    }
    return position;
}

void viommu_queue_foreach(const ViommuQueue *queue, ViommuQueuePositionFunc func, void *data)
{
    /* of GList: the next item of each user, in turn */
    g_autoptr(GPtrArray) heads = g_ptr_array_new();
    unsigned position = 0;

    for (const GList *turn = queue->turns.head; turn; turn = turn->next)
        g_ptr_array_add(heads, ((const Line *)turn->data)->items.head);
    while (position < queue->length)
        for (guint i = 0; i < heads->len; i++) {
            GList *item = heads->pdata[i];

            if (!item)
                continue;
            func(item->data, ++position, data);
            heads->pdata[i] = item->next;
        }
}
