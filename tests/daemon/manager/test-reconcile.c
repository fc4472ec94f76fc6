/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-reconcile: what happens to each kind of domain that a listing finds, and to machines that it
 * does not find. */
#include "tests/daemon/fixture.h"

#include <glib/gstdio.h>
#include <string.h>
#include "daemon/files/boot-copies.h"

#define UUID  "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"
#define OTHER "1f2f8ea5-53c4-4e22-a2b0-0123456789ab"

typedef enum Fate {
    ADOPTED,
    UNDONE,
    LEFT,
} Fate;

/* Each phase that a domain can have, with a guest, with a paused one, and without. */
static const struct {
    ViommuState phase;
    bool active, paused;
    Fate fate;
    ViommuState state;
} rows[] = {
    {VIOMMU_STATE_DEFINING, false, false, UNDONE, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_DEFINING, true, true, UNDONE, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_DEFINING, true, false, ADOPTED, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_STARTING, false, false, UNDONE, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_STARTING, true, false, ADOPTED, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_RUNNING, true, false, ADOPTED, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_RUNNING, true, true, ADOPTED, VIOMMU_STATE_RUNNING},
    {VIOMMU_STATE_RUNNING, false, false, ADOPTED, VIOMMU_STATE_STOPPED},
    {VIOMMU_STATE_STOPPED, false, false, ADOPTED, VIOMMU_STATE_STOPPED},
    {VIOMMU_STATE_STOPPING, true, false, UNDONE, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_STOPPING, false, false, UNDONE, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_PLANNING, false, false, UNDONE, VIOMMU_STATE_LAST},
    {VIOMMU_STATE_FAILED, false, false, UNDONE, VIOMMU_STATE_LAST},
};

static void assert_fate(Fixture *fixture, Fate fate, ViommuState state)
{
    const ViommuMachine *machine;

    fixture_settle(fixture);
    machine = fixture_find(fixture, UUID);
    ck_assert_int_eq(machine != NULL, fate == ADOPTED);
    ck_assert_int_eq(fake_find(UUID) == NULL, fate == UNDONE);
    if (machine)
        ck_assert_int_eq((int)machine->state, (int)state);
}

START_TEST(each_phase)
{
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_auto(Fixture) fixture = {0};
        g_autofree char *metadata = fixture_metadata(rows[i].phase);
        g_autoptr(ViommuMetadata) now = NULL;

        fixture_begin(&fixture);
        fake_add("one", UUID, metadata, rows[i].active)->pause =
            rows[i].paused ? VIOMMU_PAUSE_SUSPENDED : VIOMMU_PAUSE_NONE;
        fixture_manage(&fixture);
        assert_fate(&fixture, rows[i].fate, rows[i].state);
        if (rows[i].fate != ADOPTED || rows[i].state != VIOMMU_STATE_RUNNING)
            continue;
        /* The interrupted launch is finished. */
        now = viommu_metadata_from_xml(fake_find(UUID)->metadata, NULL, NULL);
        ck_assert_int_eq((int)now->phase, VIOMMU_STATE_RUNNING);
    }
}
END_TEST

/* Twice, since each is reported once. */
static void leave_alone(const char *metadata, const char *additions)
{
    g_auto(Fixture) fixture = {0};

    fixture_begin(&fixture);
    fake_add("one", UUID, metadata, true)->additions = g_strdup(additions);
    fixture_manage(&fixture);
    assert_fate(&fixture, LEFT, VIOMMU_STATE_LAST);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    assert_fate(&fixture, LEFT, VIOMMU_STATE_LAST);
}

START_TEST(what_cannot_be_read)
{
    leave_alone("<machine xmlns='https://viommu.org/xmlns/domain/1' version='1'/>", NULL);
    leave_alone("<machine", NULL);
}
END_TEST

START_TEST(a_copy)
{
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_STOPPING);
    g_autofree char *additions = fixture_additions("one", OTHER);

    leave_alone(metadata, additions);
    leave_alone(metadata, "<additions name='../etc'/>");
}
END_TEST

START_TEST(another_version)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    g_auto(GStrv) parts = g_strsplit(metadata, "version='1'", 2);
    g_autofree char *foreign = parts[1] ? g_strjoin("version='2'", parts[0], parts[1], NULL) : NULL;
    const ViommuMachine *machine;

    fixture_begin(&fixture);
    ck_assert_msg(foreign, "%s", metadata);
    (void)fake_add("one", UUID, foreign, true);
    fixture_manage(&fixture);
    machine = fixture_find(&fixture, "one");
    ck_assert(machine && machine->foreign);
    ck_assert_str_eq(viommu_machine_state_word(machine), "foreign");
    ck_assert_uint_eq(machine->vcpus, 3);
}
END_TEST

START_TEST(a_name_twice)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);

    fixture_begin(&fixture);
    fake_add("one", UUID, metadata, true)->additions = fixture_additions("one", UUID);
    fake_add("another", OTHER, metadata, true)->additions = fixture_additions("one", OTHER);
    fixture_manage(&fixture);
    fixture_settle(&fixture);
    ck_assert_int_ne(fixture_find(&fixture, UUID) != NULL, fixture_find(&fixture, OTHER) != NULL);
    ck_assert(fake_find(UUID) && fake_find(OTHER));
}
END_TEST

/* What changed while libvirt was away. */
START_TEST(differences)
{
    g_auto(Fixture) fixture = {0};
    FakeDomain *domain;
    const ViommuMachine *machine;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, "{'name': <'one'>}");
    domain = fake_find(machine->uuid);
    domain->active = false;
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    domain->active = true;
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_RUNNING);
    fake_forget(machine->uuid);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, !fixture_find(&fixture, "one"));
}
END_TEST

START_TEST(events)
{
    static const struct {
        ViommuNewsKind kind;
        ViommuResult result;
    } ends[] = {{VIOMMU_NEWS_SHUTDOWN, VIOMMU_RESULT_SHUTDOWN},
                {VIOMMU_NEWS_DESTROYED, VIOMMU_RESULT_CRASHED},
                {VIOMMU_NEWS_CRASHED, VIOMMU_RESULT_CRASHED},
                {VIOMMU_NEWS_PANICKED, VIOMMU_RESULT_PANICKED},
                {VIOMMU_NEWS_SAVED, VIOMMU_RESULT_SAVED}};
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, "{'name': <'one'>}");
    for (size_t i = 0; i < G_N_ELEMENTS(ends); i++) {
        fake_end(machine->uuid, ends[i].kind, NULL);
        fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
        ck_assert_int_eq((int)machine->result, (int)ends[i].result);
        fake_find(machine->uuid)->active = true;
        fake_tell(VIOMMU_NEWS_STARTED, machine->uuid, NULL);
        fixture_await(&fixture, machine->state == VIOMMU_STATE_RUNNING);
        ck_assert_int_eq((int)machine->result, VIOMMU_RESULT_NONE);
    }
    fake_forget(machine->uuid);
    fake_tell(VIOMMU_NEWS_UNDEFINED, machine->uuid, NULL);
    fixture_await(&fixture, !fixture_find(&fixture, "one"));
}
END_TEST

/* A domain that appears is listed. */
START_TEST(appears)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);

    fixture_start(&fixture);
    (void)fake_add("one", UUID, metadata, true);
    fake_tell(VIOMMU_NEWS_DEFINED, UUID, NULL);
    fake_tell(VIOMMU_NEWS_DEFINED, OTHER, NULL);
    fixture_await(&fixture, fixture_find(&fixture, "one"));
}
END_TEST

START_TEST(libvirt_does_not_answer)
{
    g_auto(Fixture) fixture = {0};

    fixture_begin(&fixture);
    fake_fail(FAKE_LIST, 1, VIOMMU_ERROR_BACKEND, "libvirt: away");
    fake_fail(FAKE_PROBE, 1, VIOMMU_ERROR_BACKEND, "libvirt: away");
    fixture_manage(&fixture);
    (void)fixture_machine(&fixture, "{'name': <'one'>}");
}
END_TEST

START_TEST(an_undoing_fails)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_STOPPING);

    fixture_begin(&fixture);
    (void)fake_add("one", UUID, metadata, true);
    fake_fail(FAKE_DESTROY, 1, VIOMMU_ERROR_BACKEND, "libvirt: no");
    fixture_manage(&fixture);
    assert_fate(&fixture, LEFT, VIOMMU_STATE_LAST);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    assert_fate(&fixture, UNDONE, VIOMMU_STATE_LAST);
}
END_TEST

/* Copies of a running guest stay; all others go. */
START_TEST(copies)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
    g_autofree char *kept = NULL, *gone = NULL;

    fixture_begin(&fixture);
    kept = viommu_copies_path(fixture.copies, UUID, VIOMMU_COPY_KERNEL);
    gone = viommu_copies_path(fixture.copies, OTHER, VIOMMU_COPY_KERNEL);
    ck_assert_int_eq(g_mkdir(fixture.copies, 0700), 0);
    ck_assert(g_file_set_contents(kept, "x", 1, NULL) && g_file_set_contents(gone, "x", 1, NULL));
    (void)fake_add("one", UUID, metadata, true);
    fixture_manage(&fixture);
    fixture_settle(&fixture);
    ck_assert(g_file_test(kept, G_FILE_TEST_EXISTS));
    ck_assert(!g_file_test(gone, G_FILE_TEST_EXISTS));
    fake_end(UUID, VIOMMU_NEWS_SHUTDOWN, NULL);
    fixture_settle(&fixture);
    ck_assert(!g_file_test(kept, G_FILE_TEST_EXISTS));
}
END_TEST

/* A saved guest needs its copies when libvirt restores it: they stay while it is saved, also for a
 * viommud that was not there when it was saved, and go when it has ended. */
START_TEST(copies_of_the_saved)
{
    for (int by_event = 0; by_event < 2; by_event++) {
        g_auto(Fixture) fixture = {0};
        g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);
        g_autofree char *kernel = NULL;
        const ViommuMachine *machine;
        FakeDomain *domain;

        fixture_begin(&fixture);
        kernel = viommu_copies_path(fixture.copies, UUID, VIOMMU_COPY_KERNEL);
        ck_assert_int_eq(g_mkdir(fixture.copies, 0700), 0);
        ck_assert(g_file_set_contents(kernel, "x", 1, NULL));
        domain = fake_add("one", UUID, metadata, by_event);
        domain->saved = true;
        fixture_manage(&fixture);
        fixture_settle(&fixture);
        if (by_event)
            fake_end(UUID, VIOMMU_NEWS_SAVED, NULL);
        fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
        fixture_settle(&fixture);
        machine = fixture_find(&fixture, UUID);
        fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
        ck_assert_int_eq((int)machine->result, VIOMMU_RESULT_SAVED);
        ck_assert(!machine->failure_name);
        ck_assert(g_file_test(kernel, G_FILE_TEST_EXISTS));
        domain->active = true;
        domain->saved = false;
        fake_tell(VIOMMU_NEWS_STARTED, UUID, NULL);
        fixture_await(&fixture, machine->state == VIOMMU_STATE_RUNNING);
        ck_assert_int_eq((int)machine->result, VIOMMU_RESULT_NONE);
        fake_end(UUID, VIOMMU_NEWS_SHUTDOWN, NULL);
        fixture_settle(&fixture);
        ck_assert(!g_file_test(kernel, G_FILE_TEST_EXISTS));
    }
}
END_TEST

/* It was saved while libvirt was away. */
START_TEST(saved_without_event)
{
    g_auto(Fixture) fixture = {0};
    const ViommuMachine *machine;
    FakeDomain *domain;

    fixture_start(&fixture);
    machine = fixture_machine(&fixture, "{'name': <'one'>}");
    domain = fake_find(machine->uuid);
    domain->active = false;
    domain->saved = true;
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(&fixture, machine->state == VIOMMU_STATE_STOPPED);
    ck_assert_int_eq((int)machine->result, VIOMMU_RESULT_SAVED);
}
END_TEST

/* libvirt lists a guest as running that died before libvirt started, and then sends no event. */
START_TEST(ends_without_event)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *metadata = fixture_metadata(VIOMMU_STATE_RUNNING);

    fixture_begin(&fixture);
    (void)fake_add("one", UUID, metadata, true);
    fixture_manage(&fixture);
    assert_fate(&fixture, ADOPTED, VIOMMU_STATE_RUNNING);
    fake_find(UUID)->active = false;
    fixture_await(&fixture, fixture_find(&fixture, UUID)->state == VIOMMU_STATE_STOPPED);
}
END_TEST

UNIT_MAIN("reconcile", each_phase, what_cannot_be_read, a_copy, another_version, a_name_twice, differences,
          events, appears, libvirt_does_not_answer, an_undoing_fails, copies, copies_of_the_saved,
          saved_without_event, ends_without_event)
