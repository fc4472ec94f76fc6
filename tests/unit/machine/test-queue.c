/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-queue: turns, positions and removals of the queue of launches. */
#include "tests/unit/unit.h"

#include "lib/machine/queue.h"

static char items[10010];

START_TEST(one_user_is_served_in_order)
{
    g_autoptr(ViommuQueue) queue = viommu_queue_new();

    ck_assert_ptr_null(viommu_queue_take(queue));
    for (int i = 0; i < 5; i++)
        viommu_queue_add(queue, 1000, &items[i]);
    ck_assert_uint_eq(viommu_queue_length(queue), 5);
    for (int i = 0; i < 5; i++)
        ck_assert_ptr_eq(viommu_queue_take(queue), &items[i]);
    ck_assert_ptr_null(viommu_queue_take(queue));
    ck_assert_uint_eq(viommu_queue_length(queue), 0);
}
END_TEST

/* Ten thousand items of one user delay another user's first item by one, and its second by two. */
START_TEST(a_flood_delays_by_a_round)
{
    g_autoptr(ViommuQueue) queue = viommu_queue_new();

    for (int i = 0; i < 10000; i++)
        viommu_queue_add(queue, 1000, &items[i]);
    viommu_queue_add(queue, 0, &items[10000]);
    viommu_queue_add(queue, 0, &items[10001]);
    ck_assert_uint_eq(viommu_queue_position(queue, 0, &items[10000]), 2);
    ck_assert_uint_eq(viommu_queue_position(queue, 0, &items[10001]), 4);
    ck_assert_uint_eq(viommu_queue_position(queue, 1000, &items[9999]), 10002);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[0]);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[10000]);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[1]);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[10001]);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[2]);
    ck_assert_uint_eq(viommu_queue_length(queue), 9997);
}
END_TEST

/* Single items, one after another: each comes before the next item of the flood. */
START_TEST(single_ones_wait_for_nobody)
{
    g_autoptr(ViommuQueue) queue = viommu_queue_new();

    for (int i = 0; i < 100; i++)
        viommu_queue_add(queue, 1000, &items[i]);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[0]);
    for (int i = 1; i < 10; i++) {
        viommu_queue_add(queue, 0, &items[10000]);
        ck_assert_uint_eq(viommu_queue_position(queue, 0, &items[10000]), 1);
        ck_assert_ptr_eq(viommu_queue_take(queue), &items[10000]);
        ck_assert_ptr_eq(viommu_queue_take(queue), &items[i]);
    }
    /* The flood does not wait for ever either: of two items in a row, the second waits. */
    viommu_queue_add(queue, 0, &items[10000]);
    viommu_queue_add(queue, 0, &items[10001]);
    ck_assert_uint_eq(viommu_queue_position(queue, 0, &items[10001]), 3);
}
END_TEST

typedef struct Told {
    const unsigned *position;
    unsigned last;
} Told;

static void compare_told(void *item, unsigned position, void *data)
{
    Told *told = data;

    ck_assert_uint_eq(position, told->position[(char *)item - items]);
    ck_assert_uint_eq(position, ++told->last);
}

/* After any additions and removals the item at position N is the Nth to be taken. */
START_TEST(positions_tell_the_truth)
{
    g_autoptr(ViommuQueue) queue = viommu_queue_new();
    unsigned position[120] = {0};
    unsigned taken = 0;
    Told told = {position, 0};

    for (unsigned i = 0; i < G_N_ELEMENTS(position); i++) {
        viommu_queue_add(queue, i * i % 7, &items[i]);
        if (i % 10 == 9)
            ck_assert_ptr_nonnull(viommu_queue_take(queue));
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(position); i += 5)
        viommu_queue_remove(queue, i * i % 7, &items[i]);
    for (unsigned i = 0; i < G_N_ELEMENTS(position); i++)
        position[i] = viommu_queue_position(queue, i * i % 7, &items[i]);
    viommu_queue_foreach(queue, compare_told, &told);
    ck_assert_uint_eq(told.last, viommu_queue_length(queue));
    for (char *item; (item = viommu_queue_take(queue));)
        ck_assert_uint_eq(position[item - items], ++taken);
    ck_assert_uint_gt(taken, 50);
}
END_TEST

START_TEST(what_is_removed_is_not_taken)
{
    g_autoptr(ViommuQueue) queue = viommu_queue_new();

    viommu_queue_add(queue, 1, &items[0]);
    viommu_queue_add(queue, 2, &items[1]);
    viommu_queue_add(queue, 3, &items[2]);
    ck_assert(!viommu_queue_remove(queue, 1, &items[1]));
    ck_assert(!viommu_queue_remove(queue, 4, &items[1]));
    ck_assert(viommu_queue_remove(queue, 2, &items[1]));
    ck_assert(!viommu_queue_remove(queue, 2, &items[1]));
    ck_assert_uint_eq(viommu_queue_position(queue, 2, &items[1]), 0);
    ck_assert_uint_eq(viommu_queue_length(queue), 2);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[0]);
    ck_assert_ptr_eq(viommu_queue_take(queue), &items[2]);
    ck_assert_ptr_null(viommu_queue_take(queue));
}
END_TEST

UNIT_MAIN("queue", one_user_is_served_in_order, a_flood_delays_by_a_round, single_ones_wait_for_nobody,
          positions_tell_the_truth, what_is_removed_is_not_taken)
