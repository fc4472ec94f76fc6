/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-endings: stops that succeed, fail, hang and are hurried; leases that end, are extended, and
 * bind to clients; the daemon's end. */
#include "tests/daemon/fixture.h"

#include <string.h>
#include "daemon/process/boottime.h"

#define ONE   "{'name': <'one'>}"
#define LEASE "{'name': <'one'>, 'lease': <{'seconds': <uint64 1>}>}"
#define LONG  "{'name': <'one'>, 'lease': <{'seconds': <uint64 3600>}>}"
#define BOUND "{'name': <'one'>, 'lease': <{'bind': <'client'>}>}"

START_TEST(goes_well)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    g_autofree char *uuid = NULL;

    fixture_start(&fixture);
    uuid = g_strdup(fixture_machine(&fixture, ONE)->uuid);
    fixture_stop(&fixture, "one", 0, &answer);
    assert_went_well(&answer);
    ck_assert_ptr_null(fixture_find(&fixture, "one"));
    ck_assert_ptr_null(fake_find(uuid));
    ck_assert_uint_eq(fake_calls(FAKE_SHUTDOWN), 0);
}
END_TEST

START_TEST(the_guest_obeys)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    fake_find(fixture_machine(&fixture, ONE)->uuid)->obeys = true;
    fixture_stop(&fixture, "one", 60, &answer);
    assert_went_well(&answer);
    ck_assert_uint_eq(fake_calls(FAKE_SHUTDOWN), 1);
}
END_TEST

START_TEST(the_guest_does_not)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fixture_stop(&fixture, "one", 1, &answer);
    assert_went_well(&answer);
}
END_TEST

START_TEST(it_cannot_be_asked)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fake_fail(FAKE_SHUTDOWN, 1, VIOMMU_ERROR_BACKEND, "no ACPI");
    fixture_stop(&fixture, "one", 60, &answer);
    assert_went_well(&answer);
}
END_TEST

START_TEST(hurried)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, second = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fixture_begin_stop(&fixture, "one", 60, &first);
    fixture_await(&fixture, fake_calls(FAKE_SHUTDOWN) == 1);
    fixture_stop(&fixture, "one", 0, &second);
    fixture_await(&fixture, first.n);
    assert_went_well(&first);
    assert_went_well(&second);
}
END_TEST

/* Neither the mark nor the guest's answer delays the removal; both return later. */
START_TEST(calls_hang)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fake_hold(FAKE_SHUTDOWN);
    fixture_stop(&fixture, "one", 1, &answer);
    assert_went_well(&answer);
    fake_release(FAKE_SHUTDOWN);
    (void)fixture_machine(&fixture, ONE);
    fake_hold(FAKE_SET_METADATA);
    answer_clear(&answer);
    fixture_stop(&fixture, "one", 60, &answer);
    assert_went_well(&answer);
    fake_release(FAKE_SET_METADATA);
    fixture_settle(&fixture);
}
END_TEST

START_TEST(the_mark_fails)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fake_fail(FAKE_SET_METADATA, 1, VIOMMU_ERROR_BACKEND, "no");
    fixture_stop(&fixture, "one", 60, &answer);
    assert_went_well(&answer);
    ck_assert_uint_eq(fake_calls(FAKE_SHUTDOWN), 0);
}
END_TEST

START_TEST(the_removal_fails)
{
    static const FakeCall calls[] = {FAKE_DESTROY, FAKE_UNDEFINE};

    for (size_t i = 0; i < G_N_ELEMENTS(calls); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0}, again = {0};

        fixture_start(&fixture);
        (void)fixture_machine(&fixture, ONE);
        fake_fail(calls[i], 1, VIOMMU_ERROR_BACKEND, "libvirt: no");
        fixture_stop(&fixture, "one", 0, &answer);
        assert_fails(&answer, VIOMMU_ERROR_BACKEND, "libvirt: no");
        fixture_settle(&fixture);
        ck_assert_int_eq((int)fixture_find(&fixture, "one")->state,
                         calls[i] == FAKE_DESTROY ? VIOMMU_STATE_RUNNING : VIOMMU_STATE_STOPPED);
        fixture_stop(&fixture, "one", 0, &again);
        assert_went_well(&again);
    }
}
END_TEST

/* --- Leases --- */

START_TEST(lease_ends)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *uuid = NULL;

    fixture_begin(&fixture);
    fixture.config->grace_seconds = 1;
    fixture_manage(&fixture);
    uuid = g_strdup(fixture_machine(&fixture, LEASE)->uuid);
    fixture_await(&fixture, !fixture_find(&fixture, "one"));
    ck_assert_ptr_null(fake_find(uuid));
    ck_assert_uint_eq(fake_calls(FAKE_SHUTDOWN), 1);
}
END_TEST

START_TEST(lease_is_extended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, second = {0};
    g_autoptr(ViommuMetadata) metadata = NULL;
    const ViommuMachine *machine;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, LONG);
    /* The second extension comes while the first is written, and is written, too. */
    fake_hold(FAKE_SET_METADATA);
    fixture_extend(&fixture, 7200, false, &first);
    fixture_await(&fixture, fake_hanging(FAKE_SET_METADATA) == 1);
    fixture_extend(&fixture, 9000, false, &second);
    fake_release(FAKE_SET_METADATA);
    fixture_await(&fixture, first.n && second.n);
    assert_went_well(&first);
    assert_went_well(&second);
    metadata = viommu_metadata_from_xml(fake_find(machine->uuid)->metadata, NULL, NULL);
    ck_assert_uint_eq(metadata->lease_end_usec, machine->lease_end_usec);
    ck_assert_uint_gt(metadata->lease_end_usec, viommu_boottime_now() + (uint64_t)8000 * G_USEC_PER_SEC);
}
END_TEST

START_TEST(lease_is_not_extended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) zero = {0}, much = {0}, none = {0}, site = {0}, lost = {0}, stop = {0};

    fixture_begin(&fixture);
    fixture.config->lease_max_seconds = 100;
    fixture_manage(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fixture_extend(&fixture, 10, false, &none);
    assert_fails(&none, VIOMMU_ERROR_INVALID_REQUEST, "");
    fixture_stop(&fixture, "one", 0, &stop);
    (void)fixture_machine(&fixture, LONG);
    fixture_extend(&fixture, 0, false, &zero);
    assert_fails(&zero, VIOMMU_ERROR_INVALID_REQUEST, "");
    fixture_extend(&fixture, UINT64_MAX, false, &much);
    assert_fails(&much, VIOMMU_ERROR_INVALID_REQUEST, "");
    fixture_extend(&fixture, 101, true, &site);
    assert_fails(&site, VIOMMU_ERROR_POLICY_REFUSED, "");
    fake_fail(FAKE_GET_METADATA, 1, VIOMMU_ERROR_BACKEND, "libvirt: no");
    fixture_extend(&fixture, 7200, false, &lost);
    fixture_await(&fixture, lost.n);
    assert_fails(&lost, VIOMMU_ERROR_BACKEND, "libvirt: no");
}
END_TEST

/* The stop waits for the write. */
START_TEST(stopped_while_extended)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) extension = {0}, stop = {0}, late = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, LONG);
    fake_hold(FAKE_GET_METADATA);
    fixture_extend(&fixture, 7200, false, &extension);
    fixture_begin_stop(&fixture, "one", 0, &stop);
    fixture_extend(&fixture, 7200, false, &late);
    assert_fails(&late, VIOMMU_ERROR_BUSY, "'one'");
    fake_release(FAKE_GET_METADATA);
    fixture_await(&fixture, stop.n && extension.n);
    assert_went_well(&stop);
}
END_TEST

START_TEST(client_leaves)
{
    g_auto(Fixture) fixture = {0};

    fixture_start(&fixture);
    (void)fixture_machine(&fixture, BOUND);
    (void)fixture_machine(&fixture, "{'name': <'two'>}");
    viommu_manager_client_gone(fixture.manager, "1:2");
    viommu_manager_client_gone(fixture.manager, "1:1");
    fixture_await(&fixture, !fixture_find(&fixture, "one"));
    ck_assert_ptr_nonnull(fixture_find(&fixture, "two"));
}
END_TEST

/* --- The end of the daemon --- */

START_TEST(the_daemon_ends)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) first = {0}, waits = {0}, late = {0}, stop = {0};
    int finished = -1;

    fixture_begin(&fixture);
    fixture.config->running_launches = 1;
    fixture_manage(&fixture);
    fake_hold(FAKE_START);
    fixture_begin_launch(&fixture, ONE, &first);
    fixture_begin_launch(&fixture, "{'name': <'two'>}", &waits);
    viommu_manager_end(fixture.manager, fixture_note_end, &finished);
    assert_fails(&waits, VIOMMU_ERROR_BUSY, "viommud");
    fixture_begin_launch(&fixture, "{'name': <'three'>}", &late);
    assert_fails(&late, VIOMMU_ERROR_BUSY, "viommud");
    fixture_begin_stop(&fixture, "one", 0, &stop);
    assert_fails(&stop, VIOMMU_ERROR_BUSY, "viommud");
    fake_release(FAKE_START);
    fixture_await(&fixture, finished != -1);
    ck_assert_int_eq(finished, 1);
    assert_went_well(&first);
}
END_TEST

START_TEST(the_end_is_bounded)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) answer = {0};
    int finished = -1;

    fixture_start(&fixture);
    fake_hold(FAKE_START);
    fixture_begin_launch(&fixture, ONE, &answer);
    viommu_manager_end(fixture.manager, fixture_note_end, &finished);
    fixture_await(&fixture, finished != -1);
    ck_assert_int_eq(finished, 0);
    assert_fails(&answer, VIOMMU_ERROR_BUSY, "viommud");
}
END_TEST

/* Hanging launches have threads of their own, and leave those of stops alone. */
START_TEST(launches_hang)
{
    g_auto(Fixture) fixture = {0};
    g_auto(Answer) stop = {0};
    Answer launches[4] = {{0}};

    fixture_begin(&fixture);
    fixture.config->running_launches = G_N_ELEMENTS(launches);
    fixture_manage(&fixture);
    (void)fixture_machine(&fixture, ONE);
    fake_hold(FAKE_START);
    for (size_t i = 0; i < G_N_ELEMENTS(launches); i++) {
        g_autofree char *request = g_strdup_printf("{'name': <'hangs%zu'>}", i);

        fixture_begin_launch(&fixture, request, &launches[i]);
    }
    fixture_await(&fixture, fake_hanging(FAKE_START) == G_N_ELEMENTS(launches));
    fixture_stop(&fixture, "one", 0, &stop);
    assert_went_well(&stop);
    ck_assert_uint_eq(fake_hanging(FAKE_START), G_N_ELEMENTS(launches));
    fake_release(FAKE_START);
    for (size_t i = 0; i < G_N_ELEMENTS(launches); i++) {
        fixture_await(&fixture, launches[i].n);
        assert_went_well(&launches[i]);
        answer_clear(&launches[i]);
    }
}
END_TEST

UNIT_MAIN("endings", goes_well, the_guest_obeys, the_guest_does_not, it_cannot_be_asked, hurried, calls_hang,
          the_mark_fails, the_removal_fails, lease_ends, lease_is_extended, lease_is_not_extended,
          stopped_while_extended, client_leaves, the_daemon_ends, the_end_is_bounded, launches_hang)
