/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-orders: stops, ends of leases, clients that leave, proofs and libvirt's events during a job,
 * each in an order that is easy to get wrong. */
#include "tests/daemon/fixture.h"

#include <string.h>
#include "daemon/machines/job.h"

#define ONE      "{'name': <'one'>, 'lease': <{'seconds': <uint64 3600>}>}"
#define BOUND    "{'name': <'one'>, 'lease': <{'bind': <'client'>}>}"
#define SHORT    "{'name': <'one'>, 'lease': <{'seconds': <uint64 1>}>}"
#define SENT     "{'name': <'one'>, 'request-id': <'id'>, 'lease': <{'bind': <'client'>}>}"
#define NAMELESS "{'memory': <'64 MiB'>}"
#define VERIFIED "{'name': <'one'>, 'iommu': <{'is-supported': <true>}>, 'wait': <'verified'>}"

static void verify(Fixture *fixture, Answer *ret_answer)
{
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_verify(fixture->manager, fixture_find(fixture, "one"), 20, &waiter);
}

/* A launch that hangs in its start. */
static void hang(Fixture *fixture, const char *request, Answer *ret_answer)
{
    fake_hold(FAKE_START);
    fixture_begin_launch(fixture, request, ret_answer);
    fixture_await(fixture, fake_hanging(FAKE_START) == 1);
}

/* Asserts that nothing is left of the machine, and that its name is free. */
static void assert_gone(Fixture *fixture)
{
    fixture_settle(fixture);
    ck_assert_ptr_null(fixture_find(fixture, "one"));
    (void)fixture_machine(fixture, ONE);
}

/* --- Second stops --- */

START_TEST(stopped_twice_in_a_launch)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0}, first = {0}, second = {0};

    fixture_start(&fixture);
    hang(&fixture, ONE, &launch);
    fixture_begin_stop(&fixture, "one", 60, &first);
    fixture_begin_stop(&fixture, "one", 0, &second);
    ck_assert(first.n == 0 && second.n == 0);
    fake_release(FAKE_START);
    fixture_await(&fixture, launch.n && first.n && second.n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "was stopped while it was being launched");
    assert_went_well(&first);
    assert_went_well(&second);
    assert_gone(&fixture);
}
END_TEST

/* A repeated stop does not delay the effect of the first one. */
START_TEST(stopped_again_and_again)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0};
    Answer stops[20] = {{0}};
    size_t n = 0;

    fixture_begin(&fixture);
    fixture.config->launch_timeout_sec = 1;
    fixture_manage(&fixture);
    hang(&fixture, ONE, &launch);
    for (; n < G_N_ELEMENTS(stops) && launch.n == 0; n++) {
        gint64 end = g_get_monotonic_time() + G_USEC_PER_SEC / 4;

        fixture_begin_stop(&fixture, "one", 0, &stops[n]);
        while (launch.n == 0 && g_get_monotonic_time() < end)
            fixture_turn(&fixture);
    }
    ck_assert_msg(launch.n == 1, "%zu stops put it off", n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "was stopped while it was being launched");
    for (size_t i = 0; i < n; i++) {
        assert_went_well(&stops[i]);
        answer_clear(&stops[i]);
    }
    fake_release(FAKE_START);
    assert_gone(&fixture);
}
END_TEST

/* A user's stop hurries the stop of the lease, which has its grace; the machine still counts as
 * expired. */
START_TEST(stopped_when_the_lease_has_ended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    const ViommuMachine *machine;

    fixture_begin(&fixture);
    fixture.config->grace_seconds = 600;
    fixture_manage(&fixture);
    machine = fixture_machine(&fixture, SHORT);
    fixture_await(&fixture, fake_calls(FAKE_SHUTDOWN) == 1);
    ck_assert_int_eq((int)machine->result, VIOMMU_RESULT_EXPIRED);
    ck_assert(machine->job->ending.expired);
    fixture_begin_stop(&fixture, "one", 0, &answer);
    fixture_await(&fixture, answer.n);
    assert_went_well(&answer);
    assert_gone(&fixture);
}
END_TEST

/* Two stops wait for a new end of the lease to be written; the shorter one counts. */
START_TEST(stopped_twice_while_extended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) extension = {0}, first = {0}, second = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fake_hold(FAKE_GET_METADATA);
    fixture_extend(&fixture, 7200, false, &extension);
    fixture_begin_stop(&fixture, "one", 600, &first);
    fixture_begin_stop(&fixture, "one", 0, &second);
    fake_release(FAKE_GET_METADATA);
    fixture_await(&fixture, extension.n && first.n && second.n);
    assert_went_well(&extension);
    assert_went_well(&first);
    assert_went_well(&second);
    ck_assert_uint_eq(fake_calls(FAKE_SHUTDOWN), 0);
    assert_gone(&fixture);
}
END_TEST

/* --- A lease that ends --- */

START_TEST(the_lease_ends_in_the_launch)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0}, stopped = {0};

    fixture_start(&fixture);
    hang(&fixture, SHORT, &launch);
    fixture_await(&fixture, fixture_find(&fixture, "one")->state == VIOMMU_STATE_STOPPING);
    ck_assert_int_eq((int)fixture_find(&fixture, "one")->result, VIOMMU_RESULT_EXPIRED);
    /* This stop is the only caller that waits for the end. */
    fixture_begin_stop(&fixture, "one", 0, &stopped);
    fake_release(FAKE_START);
    fixture_await(&fixture, launch.n && stopped.n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "'one'");
    assert_went_well(&stopped);
    assert_gone(&fixture);
}
END_TEST

/* --- A client that leaves --- */

/* The client leaves, and the news comes twice. */
static void leave(Fixture *fixture)
{
    viommu_manager_client_gone(fixture->manager, "1:1");
    viommu_manager_client_gone(fixture->manager, "1:1");
}

START_TEST(client_leaves_in_the_queue)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, launch = {0};

    fixture_begin(&fixture);
    fixture.config->running_launches = 1;
    fixture_manage(&fixture);
    fake_hold(FAKE_DEFINE);
    fixture_begin_launch(&fixture, "{'name': <'zero'>}", &first);
    fixture_begin_launch(&fixture, BOUND, &launch);
    leave(&fixture);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "was stopped while it waited to be launched");
    fake_release(FAKE_DEFINE);
    fixture_await(&fixture, first.n);
    assert_went_well(&first);
    ck_assert_uint_eq(fake_calls(FAKE_DEFINE), 1);
    assert_gone(&fixture);
}
END_TEST

START_TEST(client_leaves_in_the_launch)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0}, again = {0};

    fixture_start(&fixture);
    hang(&fixture, SENT, &launch);
    leave(&fixture);
    /* The same request gets the answer of the first launch. */
    fixture_begin_launch(&fixture, SENT, &again);
    fake_release(FAKE_START);
    fixture_await(&fixture, launch.n && again.n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "'one'");
    assert_fails(&again, VIOMMU_ERROR_BUSY, "'one'");
    assert_gone(&fixture);
}
END_TEST

START_TEST(client_leaves_in_the_stop)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) stopped = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, BOUND);
    fake_hold(FAKE_DESTROY);
    fixture_begin_stop(&fixture, "one", 0, &stopped);
    fixture_await(&fixture, fake_hanging(FAKE_DESTROY) == 1);
    leave(&fixture);
    fake_release(FAKE_DESTROY);
    fixture_await(&fixture, stopped.n);
    assert_went_well(&stopped);
    ck_assert_uint_eq(fake_calls(FAKE_DESTROY), 1);
    assert_gone(&fixture);
}
END_TEST

START_TEST(client_leaves_while_extended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) extension = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture,
                          "{'name': <'one'>, 'lease': <{'seconds': <uint64 3600>, 'bind': <'client'>}>}");
    fake_hold(FAKE_GET_METADATA);
    fixture_extend(&fixture, 7200, false, &extension);
    leave(&fixture);
    ck_assert_int_eq((int)fixture_find(&fixture, "one")->state, VIOMMU_STATE_STOPPING);
    fake_release(FAKE_GET_METADATA);
    fixture_await(&fixture, extension.n);
    fixture_await(&fixture, !fixture_find(&fixture, "one"));
    assert_gone(&fixture);
}
END_TEST

/* --- Proofs --- */

START_TEST(stopped_while_verified)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) proof = {0}, late = {0}, stopped = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    verify(&fixture, &proof);
    fake_hold(FAKE_DESTROY);
    fixture_begin_stop(&fixture, "one", 0, &stopped);
    verify(&fixture, &late);
    assert_fails(&late, VIOMMU_ERROR_BUSY, "is stopping; only a running machine can be verified");
    fixture_await(&fixture, proof.n);
    assert_fails(&proof, VIOMMU_ERROR_BUSY, "the machine is stopping and cannot be verified");
    fake_release(FAKE_DESTROY);
    fixture_await(&fixture, stopped.n);
    assert_went_well(&stopped);
    assert_gone(&fixture);
}
END_TEST

/* The launch has succeeded, and waits for its proof: a stop fails it now, and both calls are
 * answered when the machine is gone. */
START_TEST(stopped_before_the_proof_of_a_launch)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0}, stopped = {0};

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, VERIFIED, &launch);
    fixture_await(&fixture, fixture_find(&fixture, "one") &&
                                fixture_find(&fixture, "one")->state == VIOMMU_STATE_RUNNING);
    ck_assert_ptr_null(fixture_find(&fixture, "one")->job);
    fake_hold(FAKE_DESTROY);
    fixture_begin_stop(&fixture, "one", 0, &stopped);
    fixture_await(&fixture, fixture_find(&fixture, "one")->failure_text);
    ck_assert(launch.n == 0 && stopped.n == 0);
    fake_release(FAKE_DESTROY);
    fixture_await(&fixture, launch.n && stopped.n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "the machine is stopping and cannot be verified");
    assert_went_well(&stopped);
    ck_assert_uint_eq(fake_calls(FAKE_DESTROY), 1);
    assert_gone(&fixture);
}
END_TEST

/* --- A launch that was given up returns --- */

/* Its machine is gone and its name is free; the result of the late step is undone. */
START_TEST(given_up_and_late)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0}, second = {0};

    fixture_begin(&fixture);
    fixture.config->launch_timeout_sec = 1;
    fixture.config->running_launches = 1;
    fixture_manage(&fixture);
    hang(&fixture, ONE, &launch);
    fixture_begin_launch(&fixture, "{'name': <'two'>}", &second);
    fixture_await(&fixture, launch.n);
    assert_fails(&launch, VIOMMU_ERROR_BUSY, "was not launched within 1 s");
    /* It does not hold a place any more: the next launch begins, and hangs as well. */
    fixture_await(&fixture, second.n);
    assert_fails(&second, VIOMMU_ERROR_BUSY, "was not launched within 1 s");
    fake_release(FAKE_START);
    assert_gone(&fixture);
    ck_assert_uint_eq(viommu_registry_count(viommu_manager_registry(fixture.manager)), 1);
}
END_TEST

/* --- Changes in libvirt during a job --- */

/* The domain is undefined and defined again in libvirt, while a new end of its lease is written. */
START_TEST(vanishes_while_extended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) extension = {0}, second = {0}, stopped = {0};
    g_autofree char *uuid = NULL, *metadata = NULL;

    fixture_start(&fixture);
    uuid = g_strdup(fixture_machine(&fixture, ONE)->uuid);
    metadata = g_strdup(fake_find(uuid)->metadata);
    fake_hold(FAKE_GET_METADATA);
    fixture_extend(&fixture, 7200, false, &extension);
    fixture_await(&fixture, fake_hanging(FAKE_GET_METADATA) == 1);
    fake_forget(uuid);
    fake_tell(VIOMMU_NEWS_UNDEFINED, uuid, NULL);
    fixture_await(&fixture, extension.n);
    assert_fails(&extension, VIOMMU_ERROR_NOT_FOUND, "the machine is gone");
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
    (void)fake_add("one", uuid, metadata, true);
    fake_tell(VIOMMU_NEWS_DEFINED, uuid, NULL);
    fixture_await(&fixture, fixture_find(&fixture, "one"));
    fixture_extend(&fixture, 7200, false, &second);
    fake_release(FAKE_GET_METADATA);
    fixture_await(&fixture, second.n);
    assert_went_well(&second);
    fixture_begin_stop(&fixture, "one", 0, &stopped);
    fixture_await(&fixture, stopped.n);
    assert_gone(&fixture);
}
END_TEST

/* viommud also finishes the stop that follows the job. */
START_TEST(the_daemon_ends_before_the_stop)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) extension = {0}, stopped = {0};
    int finished = -1;

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fake_hold(FAKE_GET_METADATA);
    fixture_extend(&fixture, 7200, false, &extension);
    fixture_begin_stop(&fixture, "one", 0, &stopped);
    viommu_manager_end(fixture.manager, fixture_note_end, &finished);
    ck_assert_int_eq(finished, -1);
    fake_release(FAKE_GET_METADATA);
    fixture_await(&fixture, finished != -1);
    ck_assert_int_eq(finished, 1);
    assert_went_well(&extension);
    assert_went_well(&stopped);
}
END_TEST

/* One user has taken all the names that a request without a name would get: whoever sends such a
 * request still gets a machine. */
START_TEST(names_are_taken)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *first = NULL, *beginning = NULL;
    const ViommuMachine *machine;

    fixture_start(&fixture);
    first = g_strdup(fixture_machine(&fixture, NAMELESS)->name);
    beginning = g_strconcat(first, "-", NULL);
    for (unsigned i = 2; i <= 100; i++) {
        g_autofree char *request = g_strdup_printf("{'name': <'%s-%u'>}", first, i);

        (void)fixture_machine(&fixture, request);
    }
    machine = fixture_machine(&fixture, NAMELESS);
    ck_assert(g_str_has_prefix(machine->name, beginning));
    ck_assert_uint_eq(strlen(machine->name), strlen(beginning) + 8);
    ck_assert_str_ne(machine->name, fixture_machine(&fixture, NAMELESS)->name);
}
END_TEST

UNIT_MAIN("orders", stopped_twice_in_a_launch, stopped_again_and_again, stopped_when_the_lease_has_ended,
          stopped_twice_while_extended, the_lease_ends_in_the_launch, client_leaves_in_the_queue,
          client_leaves_in_the_launch, client_leaves_in_the_stop, client_leaves_while_extended,
          stopped_while_verified, stopped_before_the_proof_of_a_launch, given_up_and_late,
          vanishes_while_extended, the_daemon_ends_before_the_stop, names_are_taken)
