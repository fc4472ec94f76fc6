/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-pauses: what is known of a guest that does not run, by events, by a listing, and in the
 * wrong order. */
#include "tests/daemon/fixture.h"

#include "daemon/manager/pauses.h"

#define UUID "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"
#define ONE  "{'name': <'one'>}"
#define SURE "{'name': <'one'>, 'iommu': <{'is-supported': <true>}>, 'wait': <'verified'>}"

static const ViommuMachine *begin(Fixture *fixture)
{
    fixture_start(fixture);
    return fixture_machine(fixture, ONE);
}

/* As QEMU and libvirt do it. */
static void halt(const ViommuMachine *machine, ViommuPause pause, ViommuNewsKind kind)
{
    fake_find(machine->uuid)->pause = pause;
    fake_tell(kind, machine->uuid, NULL);
}

#define await_state(fixture, machine, word, why)                           \
    fixture_await(fixture,                                                 \
                  g_str_equal(viommu_machine_state_word(machine), word) && \
                      g_str_equal(viommu_enum_to_string(&viommu_enum_pause, (int)(machine)->pause), why))

#define assert_state(machine, word, why)                                                         \
    do {                                                                                         \
        ck_assert_str_eq(viommu_machine_state_word(machine), word);                              \
        ck_assert_str_eq(viommu_enum_to_string(&viommu_enum_pause, (int)(machine)->pause), why); \
    } while (0)

static const struct {
    ViommuNewsKind kind;
    ViommuPause pause; /* as QEMU says it */
    const char *word;
} rows[] = {
    {VIOMMU_NEWS_SUSPENDED, VIOMMU_PAUSE_SUSPENDED, "suspended"},
    {VIOMMU_NEWS_IO_ERROR, VIOMMU_PAUSE_IO_ERROR, "io-error"},
    {VIOMMU_NEWS_IO_ERROR, VIOMMU_PAUSE_DISK_FULL, "disk-full"},
    {VIOMMU_NEWS_HALTED, VIOMMU_PAUSE_OTHER, "other"},
};

START_TEST(paused_and_resumed)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        halt(machine, rows[i].pause, rows[i].kind);
        await_state(&fixture, machine, "paused", rows[i].word);
        halt(machine, VIOMMU_PAUSE_NONE, VIOMMU_NEWS_RESUMED);
        await_state(&fixture, machine, "running", "none");
    }
}
END_TEST

/* The event holds. */
START_TEST(without_an_answer)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    fake_fail(FAKE_FIND_PAUSE, 1, VIOMMU_ERROR_BACKEND, "QEMU hangs");
    halt(machine, VIOMMU_PAUSE_DISK_FULL, VIOMMU_NEWS_IO_ERROR);
    await_state(&fixture, machine, "paused", "io-error");
}
END_TEST

/* The answer is older than the guest's next event. */
START_TEST(late_answer)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    fake_hold(FAKE_FIND_PAUSE);
    halt(machine, VIOMMU_PAUSE_SUSPENDED, VIOMMU_NEWS_SUSPENDED);
    fixture_await(&fixture, fake_hanging(FAKE_FIND_PAUSE) == 1);
    halt(machine, VIOMMU_PAUSE_NONE, VIOMMU_NEWS_RESUMED);
    fixture_turn(&fixture);
    fake_release(FAKE_FIND_PAUSE);
    fixture_settle(&fixture);
    await_state(&fixture, machine, "running", "none");
}
END_TEST

/* The event of a launch's own pause comes when the launch is over. */
START_TEST(late_event)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    fake_tell(VIOMMU_NEWS_SUSPENDED, machine->uuid, NULL);
    fixture_turn(&fixture);
    fixture_settle(&fixture);
    ck_assert_uint_eq(fake_calls(FAKE_FIND_PAUSE), 1);
    await_state(&fixture, machine, "running", "none");
}
END_TEST

/* Its disk is full before the launch is over. */
START_TEST(full_in_the_launch)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    fake_hold(FAKE_START);
    fixture_begin_launch(&fixture, ONE, &launch);
    fixture_await(&fixture, fake_hanging(FAKE_START) == 1);
    machine = fixture_find(&fixture, "one");
    halt(machine, VIOMMU_PAUSE_DISK_FULL, VIOMMU_NEWS_IO_ERROR);
    fixture_await(&fixture, machine->pause == VIOMMU_PAUSE_DISK_FULL);
    ck_assert_str_eq(viommu_machine_state_word(machine), "starting");
    fake_release(FAKE_START);
    fixture_await(&fixture, launch.n == 1);
    assert_went_well(&launch);
    await_state(&fixture, machine, "paused", "disk-full");
}
END_TEST

/* The owner of a QEMU makes libvirt report pauses without end: neither questions, nor signals, nor
 * lines of the journal are more than a few. */
START_TEST(flood)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);
    gint64 end_usec = g_get_monotonic_time() + 5 * VIOMMU_PAUSES_REST_USEC;
    unsigned flips = 0;

    for (unsigned i = 0; g_get_monotonic_time() < end_usec; i++) {
        ViommuPause before = machine->pause;
        bool halts = i % 2 == 0;

        halt(machine, halts ? VIOMMU_PAUSE_SUSPENDED : VIOMMU_PAUSE_NONE,
             halts ? VIOMMU_NEWS_SUSPENDED : VIOMMU_NEWS_RESUMED);
        fixture_turn(&fixture);
        flips += machine->pause != before;
    }
    ck_assert_uint_le(fake_calls(FAKE_FIND_PAUSE), 6);
    ck_assert_uint_ge(fake_calls(FAKE_FIND_PAUSE), 1);
    ck_assert_uint_le(flips, fake_calls(FAKE_FIND_PAUSE));
    /* The last event counts, whichever was the last of the flood. */
    halt(machine, VIOMMU_PAUSE_SUSPENDED, VIOMMU_NEWS_SUSPENDED);
    await_state(&fixture, machine, "paused", "suspended");
    halt(machine, VIOMMU_PAUSE_NONE, VIOMMU_NEWS_RESUMED);
    await_state(&fixture, machine, "running", "none");
}
END_TEST

/* What was missed while libvirt's daemon was away. */
START_TEST(listed)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    fake_tell(VIOMMU_NEWS_DISCONNECTED, "", "gone");
    fake_find(machine->uuid)->pause = VIOMMU_PAUSE_DISK_FULL;
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    await_state(&fixture, machine, "paused", "disk-full");
    fake_tell(VIOMMU_NEWS_DISCONNECTED, "", "gone");
    fake_find(machine->uuid)->pause = VIOMMU_PAUSE_NONE;
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    await_state(&fixture, machine, "running", "none");
}
END_TEST

START_TEST(found_after_a_restart)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    const ViommuMachine *machine;

    fixture_begin(&fixture);
    fake_add("one", UUID, metadata, true)->pause = VIOMMU_PAUSE_DISK_FULL;
    fixture_manage(&fixture);
    machine = fixture_find(&fixture, UUID);
    ck_assert_str_eq(viommu_machine_state_word(machine), "paused");
    await_state(&fixture, machine, "paused", "disk-full");
}
END_TEST

/* A paused guest cannot power off, so nobody waits for that. */
START_TEST(stopped)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) stop = {0};
    const ViommuMachine *machine = begin(&fixture);

    halt(machine, VIOMMU_PAUSE_DISK_FULL, VIOMMU_NEWS_IO_ERROR);
    await_state(&fixture, machine, "paused", "disk-full");
    fixture_stop(&fixture, "one", 600, &stop);
    assert_went_well(&stop);
    ck_assert_uint_eq(fake_calls(FAKE_SHUTDOWN), 0);
}
END_TEST

START_TEST(ended)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    halt(machine, VIOMMU_PAUSE_IO_ERROR, VIOMMU_NEWS_IO_ERROR);
    await_state(&fixture, machine, "paused", "io-error");
    fake_end(machine->uuid, VIOMMU_NEWS_CRASHED, "QEMU died");
    await_state(&fixture, machine, "stopped", "none");
}
END_TEST

/* A guest that waits for room on the host shows no IOMMU: the call ends at once, and says why. */
START_TEST(full_in_the_proof)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) launch = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    fixture_begin_launch(&fixture, SURE, &launch);
    fixture_await(&fixture, (machine = fixture_find(&fixture, "one")) &&
                                machine->state == VIOMMU_STATE_RUNNING && !machine->job);
    halt(machine, VIOMMU_PAUSE_DISK_FULL, VIOMMU_NEWS_IO_ERROR);
    fixture_await(&fixture, launch.n == 1);
    assert_fails(&launch, VIOMMU_ERROR_NOT_VERIFIED, "the guest is paused: disk full");
}
END_TEST

typedef void (*OrderFunc)(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);

/* Gives @order; it fails with @error and @words, or goes well: NULL. */
static void give(Fixture *fixture, OrderFunc order, const ViommuMachine *machine, ViommuError error,
                 const char *words)
{
    g_auto(Answer) answer = {0};
    const ViommuWaiter waiter = answer_waiter(&answer);

    order(fixture->manager, machine, &waiter);
    fixture_await(fixture, answer.n);
    ck_assert_uint_eq(answer.n, 1);
    if (words)
        assert_fails(&answer, error, words);
    else
        assert_went_well(&answer);
}

/* When a call is answered, the machine is what the call made it. */
START_TEST(ordered)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine = begin(&fixture);

    for (unsigned i = 0; i < 2; i++) {
        give(&fixture, viommu_manager_suspend, machine, 0, NULL);
        assert_state(machine, "paused", "suspended");
    }
    for (unsigned i = 0; i < 2; i++) {
        give(&fixture, viommu_manager_resume, machine, 0, NULL);
        assert_state(machine, "running", "none");
    }
    halt(machine, VIOMMU_PAUSE_DISK_FULL, VIOMMU_NEWS_IO_ERROR);
    await_state(&fixture, machine, "paused", "disk-full");
    give(&fixture, viommu_manager_resume, machine, 0, NULL);
    assert_state(machine, "running", "none");
    fake_fail(FAKE_SUSPEND, 1, VIOMMU_ERROR_BACKEND, "QEMU: no");
    give(&fixture, viommu_manager_suspend, machine, VIOMMU_ERROR_BACKEND, "QEMU: no");
    fake_fail(FAKE_RESUME, 1, VIOMMU_ERROR_BACKEND, "QEMU: no");
    give(&fixture, viommu_manager_resume, machine, VIOMMU_ERROR_BACKEND, "QEMU: no");
    assert_state(machine, "running", "none");
    fake_end(machine->uuid, VIOMMU_NEWS_SHUTDOWN, NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    give(&fixture, viommu_manager_suspend, machine, VIOMMU_ERROR_BUSY,
         "machine 'one' is stopped; only a running machine can be suspended");
    give(&fixture, viommu_manager_resume, machine, VIOMMU_ERROR_BUSY,
         "machine 'one' is stopped; only a paused machine can be resumed");
}
END_TEST

/* The machine ends while libvirt is asked, and while QEMU is. */
START_TEST(ordered_and_gone)
{
    static const FakeCall held[] = {FAKE_SUSPEND, FAKE_FIND_PAUSE};

    for (size_t i = 0; i < G_N_ELEMENTS(held); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) suspend = {0};
        const ViommuMachine *machine = begin(&fixture);
        const ViommuWaiter waiter = answer_waiter(&suspend);

        fake_hold(held[i]);
        viommu_manager_suspend(fixture.manager, machine, &waiter);
        fixture_await(&fixture, fake_hanging(held[i]) == 1);
        fake_forget(machine->uuid);
        fake_tell(VIOMMU_NEWS_UNDEFINED, machine->uuid, NULL);
        fixture_await(&fixture, !fixture_find(&fixture, "one"));
        fake_release(held[i]);
        fixture_await(&fixture, suspend.n == 1);
    }
}
END_TEST

UNIT_MAIN("pauses", ordered, ordered_and_gone, paused_and_resumed, without_an_answer, late_answer, late_event,
          flood, full_in_the_launch, listed, found_after_a_restart, stopped, ended, full_in_the_proof)
