/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-previous-release: machines that viommud 0.1.0 recorded are found, extended and stopped. */
#include "tests/daemon/fixture.h"

#include <string.h>
#include "daemon/process/boottime.h"

#define UUID "0f2f8ea5-53c4-4e22-a2b0-0123456789ab"

/* What virsh showed of each, recorded by tests/hosts/record-metadata.sh; and how it differs from
 * the others. */
static const struct {
    const char *name;
    ViommuModel model;
    uint32_t vcpus;
    const char *request_id;
    bool leased, bound;
    unsigned reasons, warnings;
} machines[] = {
    {"plain", VIOMMU_MODEL_NONE, 1, NULL, false, false, 3, 0},
    {"intel", VIOMMU_MODEL_INTEL, 2, NULL, false, false, 1, 1},
    {"asked", VIOMMU_MODEL_NONE, 1, "build 17 <a&b>", false, false, 3, 0},
    {"leased", VIOMMU_MODEL_NONE, 1, NULL, true, false, 3, 0},
    {"extended", VIOMMU_MODEL_NONE, 1, NULL, true, false, 3, 0},
    {"warned", VIOMMU_MODEL_VIRTIO, 1, NULL, false, false, 1, 1},
    {"bound", VIOMMU_MODEL_NONE, 1, NULL, false, true, 3, 0},
};

/* The record; with @anew, its lease is of this boot and ends in an hour.  Owned. */
static char *record_of(const char *name, bool anew)
{
    g_autofree char *path = g_strdup_printf("%s/%s.xml", RECORDS, name), *text = NULL, *now = NULL;
    g_autofree char *lease = NULL;
    g_autoptr(GRegex) regex = g_regex_new("lease-end=\"[0-9]+\" boot=\"[0-9a-f]+\"", 0, 0, NULL);

    ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "cannot read %s", path);
    lease = g_strdup_printf("lease-end=\"%" G_GUINT64_FORMAT "\" boot=\"%s\"",
                            viommu_boottime_now() + (uint64_t)3600 * G_USEC_PER_SEC, viommu_boottime_boot());
    now = g_regex_replace_literal(regex, text, -1, 0, lease, 0, NULL);
    ck_assert(now);
    return g_strdup(anew ? now : text);
}

static void check_machine(const ViommuMachine *machine, size_t i)
{
    ck_assert_msg(machine != NULL, "%s", machines[i].name);
    ck_assert(!machine->foreign);
    ck_assert_str_eq(machine->uuid, UUID);
    ck_assert_uint_eq(machine->owner_uid, 1000);
    ck_assert_int_eq((int)machine->state, VIOMMU_STATE_RUNNING);
    ck_assert_int_eq((int)machine->model, (int)machines[i].model);
    ck_assert_int_eq((int)machine->accelerator, VIOMMU_ACCELERATOR_TCG);
    ck_assert_uint_eq(machine->vcpus, machines[i].vcpus);
    ck_assert_uint_eq(machine->memory_bytes, 64 << 20);
    ck_assert_pstr_eq(machine->request_id, machines[i].request_id);
    ck_assert_uint_eq(strlen(machine->fingerprint), 64);
    ck_assert(machines[i].leased == (machine->lease_end_usec > viommu_boottime_now()));
    ck_assert(machines[i].bound == (machine->client != NULL));
    ck_assert_uint_eq(g_strv_length(machine->reasons), machines[i].reasons);
    ck_assert_uint_eq(g_strv_length(machine->warnings), machines[i].warnings);
}

START_TEST(all_are_served)
{
    for (size_t i = 0; i < G_N_ELEMENTS(machines); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0}, stopped = {0};
        const ViommuWaiter waiter = answer_waiter(&answer);
        g_autofree char *record = record_of(machines[i].name, true);
        g_autoptr(ViommuMetadata) metadata = NULL;

        fixture_begin(&fixture);
        (void)fake_add(machines[i].name, UUID, record, true);
        fixture_manage(&fixture);
        check_machine(fixture_find(&fixture, machines[i].name), i);
        viommu_manager_extend(fixture.manager, fixture_find(&fixture, machines[i].name), 7200, false,
                              &waiter);
        fixture_await(&fixture, answer.n);
        if (machines[i].leased) {
            assert_went_well(&answer);
            metadata = viommu_metadata_from_xml(fake_find(UUID)->metadata, NULL, NULL);
            ck_assert_uint_gt(metadata->lease_end_usec,
                              viommu_boottime_now() + (uint64_t)7000 * G_USEC_PER_SEC);
        }
        fixture_stop(&fixture, machines[i].name, 0, &stopped);
        assert_went_well(&stopped);
        ck_assert(!fixture_find(&fixture, machines[i].name) && !fake_find(UUID));
    }
}
END_TEST

/* The recorded lease is of another boot. */
START_TEST(an_ended_lease)
{
    g_auto(Fixture) fixture = {0};
    g_autofree char *record = record_of("leased", false);

    fixture_begin(&fixture);
    (void)fake_add("leased", UUID, record, true);
    fixture_manage(&fixture);
    fixture_await(&fixture, !fake_find(UUID));
}
END_TEST

UNIT_MAIN("previous-release", all_are_served, an_ended_lease)
