/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-usage-keeper: who is told what guests take, and how often libvirt is asked. */
#include "tests/daemon/fixture.h"

#include "daemon/manager/usage-keeper.h"

static const uint32_t owner = 1000, other = 1001;

static void ask(Fixture *fixture, const uint32_t *uid, Answer *ret_answer)
{
    ViommuWaiter waiter;

    answer_clear(ret_answer);
    waiter = answer_waiter(ret_answer);
    viommu_manager_read_usage(fixture->manager, uid, &waiter);
}

/* "NAME:CPU " for each machine of @uid, NULL: of anybody, that has usage. */
static char *usage_text(const Fixture *fixture, GHashTable *usage, const uint32_t *uid)
{
    g_autoptr(GPtrArray) machines = viommu_registry_list(viommu_manager_registry(fixture->manager), true);
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < machines->len; i++) {
        const ViommuMachine *machine = g_ptr_array_index(machines, i);
        const ViommuGuestUsage *row = g_hash_table_lookup(usage, machine->uuid);

        if (row && (!uid || *uid == machine->owner_uid))
            g_string_append_printf(text, "%s:%" G_GUINT64_FORMAT " ", machine->name, row->cpu_nsec);
    }
    return g_string_free(text, FALSE);
}

static void await_usage(Fixture *fixture, const uint32_t *uid, const char *expected)
{
    g_auto(Answer) answer = {0};
    g_autofree char *text = NULL;

    ask(fixture, uid, &answer);
    fixture_await(fixture, answer.n);
    assert_went_well(&answer);
    text = usage_text(fixture, answer.usage, uid);
    ck_assert_str_eq(text, expected);
}

START_TEST(of_one_user)
{
    g_auto(Fixture) fixture = {0};

    fixture_start(&fixture);
    fake_find(fixture_machine(&fixture, "{'name': <'one'>}")->uuid)->cpu_nsec = 7;
    fake_find(fixture_machine(&fixture, "{'name': <'two'>}")->uuid)->cpu_nsec = 8;
    /* A guest that is not viommud's. */
    fake_add("theirs", "5b0a2f5e-0000-4000-8000-000000000001", NULL, true)->cpu_nsec = 9;
    await_usage(&fixture, NULL, "one:7 two:8 ");
    await_usage(&fixture, &owner, "one:7 two:8 ");
    await_usage(&fixture, &other, "");
}
END_TEST

/* All who ask while libvirt is asked, and shortly afterwards, get that answer. */
START_TEST(one_question)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) one = {0}, two = {0}, launch = {0};

    fixture_start(&fixture);
    fixture_machine(&fixture, "{'name': <'one'>}");
    fake_hold(FAKE_USAGE);
    ask(&fixture, NULL, &one);
    ask(&fixture, &owner, &two);
    fixture_await(&fixture, fake_hanging(FAKE_USAGE) == 1);
    /* The loop does not wait for it. */
    fixture_begin_launch(&fixture, "{'name': <'two'>}", &launch);
    fixture_await(&fixture, launch.n);
    assert_went_well(&launch);
    ck_assert_uint_eq(one.n + two.n, 0);
    fake_release(FAKE_USAGE);
    fixture_await(&fixture, one.n && two.n);
    await_usage(&fixture, &owner, "one:0 two:0 ");
    ck_assert_uint_eq(fake_calls(FAKE_USAGE), 1);
    g_usleep(VIOMMU_USAGE_AGE_USEC);
    fake_find(fixture_find(&fixture, "one")->uuid)->cpu_nsec = 70;
    await_usage(&fixture, NULL, "one:70 two:0 ");
    ck_assert_uint_eq(fake_calls(FAKE_USAGE), 2);
}
END_TEST

/* The answer is young, but a guest is younger. */
START_TEST(started_since)
{
    g_auto(Fixture) fixture = {0};

    fixture_start(&fixture);
    await_usage(&fixture, &owner, "");
    fixture_machine(&fixture, "{'name': <'one'>}");
    await_usage(&fixture, &owner, "one:0 ");
    ck_assert_uint_eq(fake_calls(FAKE_USAGE), 2);
    await_usage(&fixture, &other, "");
    ck_assert_uint_eq(fake_calls(FAKE_USAGE), 2);
}
END_TEST

/* All are told, and the next caller asks anew. */
START_TEST(without_an_answer)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) one = {0}, two = {0};

    fixture_start(&fixture);
    fixture_machine(&fixture, "{'name': <'one'>}");
    fake_fail(FAKE_USAGE, 1, VIOMMU_ERROR_BACKEND, "libvirt is away");
    ask(&fixture, NULL, &one);
    ask(&fixture, &other, &two);
    fixture_await(&fixture, one.n && two.n);
    assert_fails(&one, VIOMMU_ERROR_BACKEND, "libvirt is away");
    assert_fails(&two, VIOMMU_ERROR_BACKEND, "libvirt is away");
    await_usage(&fixture, NULL, "one:0 ");
}
END_TEST

/* A machine that is gone meanwhile is not told. */
START_TEST(after_the_end)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) stopped = {0};

    fixture_start(&fixture);
    fixture_machine(&fixture, "{'name': <'one'>}");
    await_usage(&fixture, NULL, "one:0 ");
    fixture_stop(&fixture, "one", 0, &stopped);
    assert_went_well(&stopped);
    await_usage(&fixture, NULL, "");
    ck_assert_uint_eq(fake_calls(FAKE_USAGE), 1);
}
END_TEST

UNIT_MAIN("usage-keeper", of_one_user, one_question, started_since, without_an_answer, after_the_end)
