/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-waiters: each waiter is answered once and in order, even if an answered caller waits again
 * at once. */
#include "tests/unit/unit.h"

#include "daemon/machines/waiters.h"

static GString *heard;
static ViommuWaiters *place;

static void hear(const ViommuOutcome *outcome, void *userdata)
{
    g_string_append_printf(heard, "%s:%s ", (const char *)userdata, outcome->xml);
}

/* Waits again as soon as it is answered. */
static void hear_and_wait(const ViommuOutcome *outcome, void *userdata)
{
    const ViommuWaiter again = {hear, (void *)"again"};

    hear(outcome, userdata);
    ck_assert_uint_eq(viommu_waiters_count(place), 0);
    viommu_waiters_add(place, &again);
}

static void hear_and_free(const ViommuOutcome *outcome, void *userdata)
{
    hear(outcome, userdata);
    g_clear_pointer(&place, viommu_waiters_free);
}

static void add(ViommuWaiters *waiters, ViommuOutcomeFunc func, const char *name)
{
    const ViommuWaiter waiter = {func, (void *)name};

    viommu_waiters_add(waiters, &waiter);
}

static void assert_heard(const char *expected)
{
    ck_assert_str_eq(heard->str, expected);
    g_string_truncate(heard, 0);
}

START_TEST(answered_once)
{
    const ViommuOutcome first = {.xml = "first"}, second = {.xml = "second"};
    g_autoptr(ViommuWaiters) others = viommu_waiters_new();

    heard = g_string_new(NULL);
    place = viommu_waiters_new();
    add(place, hear_and_wait, "a");
    add(others, hear, "b");
    viommu_waiters_join(place, others);
    ck_assert_uint_eq(viommu_waiters_count(place), 2);
    ck_assert_uint_eq(viommu_waiters_count(others), 0);
    viommu_waiters_answer(place, &first);
    assert_heard("a:first b:first ");
    viommu_waiters_answer(place, &second);
    assert_heard("again:second ");
    viommu_waiters_answer(others, &second);
    assert_heard("");
    add(place, hear_and_free, "c");
    add(place, hear, "d");
    viommu_waiters_answer(place, &first);
    assert_heard("c:first d:first ");
    ck_assert_ptr_null(place);
    g_string_free(heard, TRUE);
}
END_TEST

UNIT_MAIN("waiters", answered_once)
