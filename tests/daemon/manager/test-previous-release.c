/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-previous-release: machines that viommud 0.1.0 recorded are found, extended and stopped. */
#include "tests/daemon/fixture.h"

#include <string.h>
#include "daemon/machines/lease-rules.h"
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

/* As the service of 0.1.0 wrote it, which cannot see the boot's id. */
#define UNKNOWN_BOOT "00000000000000000000000000000000"

/* The record, with a lease of @boot that ends in @seconds, or has ended if they are 0.
 * Owned. */
static char *record_of(const char *name, const char *boot, unsigned seconds)
{
    g_autofree char *path = g_strdup_printf("%s/%s.xml", RECORDS, name), *text = NULL, *now = NULL;
    g_autofree char *lease = NULL;
    g_autoptr(GRegex) regex = g_regex_new("lease-end=\"[0-9]+\" boot=\"[0-9a-f]+\"", 0, 0, NULL);

    ck_assert_msg(g_file_get_contents(path, &text, NULL, NULL), "cannot read %s", path);
    lease = g_strdup_printf("lease-end=\"%" G_GUINT64_FORMAT "\" boot=\"%s\"",
                            seconds ? viommu_boottime_now() + seconds * (uint64_t)G_USEC_PER_SEC : 1, boot);
    now = g_regex_replace_literal(regex, text, -1, 0, lease, 0, NULL);
    ck_assert(now);
    return g_steal_pointer(&now);
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
        g_autofree char *record = record_of(machines[i].name, viommu_boottime_boot(), 3600);
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

/* Leases of another boot have ended, whatever the clock says. */
START_TEST(ended_leases)
{
    static const struct {
        const char *boot;
        unsigned seconds;
        const char *additions;
    } cases[] = {
        {UNKNOWN_BOOT, 0, NULL},
        {"22222222222222222222222222222222", 3600, NULL},
        {UNKNOWN_BOOT, 3600, "<additions host-boot='22222222222222222222222222222222'/>"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_auto(Fixture) fixture = {0};
        g_autofree char *record = record_of("leased", cases[i].boot, cases[i].seconds);

        fixture_begin(&fixture);
        fake_add("leased", UUID, record, true)->additions = g_strdup(cases[i].additions);
        fixture_manage(&fixture);
        fixture_await(&fixture, !fake_find(UUID));
    }
}
END_TEST

/* The service of the previous release leaves zeros, and reads nothing else as its own boot. */
START_TEST(leases_of_the_service)
{
    g_autofree char *here = g_strdup_printf("<additions host-boot='%s'/>", viommu_boottime_boot());
    const char *const additions[] = {NULL, here};

    for (size_t i = 0; i < G_N_ELEMENTS(additions); i++) {
        g_auto(Fixture) fixture = {0};
        g_auto(Answer) answer = {0};
        const ViommuWaiter waiter = answer_waiter(&answer);
        g_autofree char *record = record_of("leased", UNKNOWN_BOOT, 3600);
        g_autoptr(ViommuMetadata) metadata = NULL;

        fixture_begin(&fixture);
        fake_add("leased", UUID, record, true)->additions = g_strdup(additions[i]);
        fixture_manage(&fixture);
        ck_assert_uint_gt(fixture_find(&fixture, "leased")->lease_end_usec, viommu_boottime_now());
        viommu_manager_extend(fixture.manager, fixture_find(&fixture, "leased"), 7200, false, &waiter);
        fixture_await(&fixture, answer.n);
        assert_went_well(&answer);
        metadata = viommu_metadata_from_xml(fake_find(UUID)->metadata, NULL, NULL);
        ck_assert_str_eq(metadata->boot, UNKNOWN_BOOT);
    }
}
END_TEST

/* A member's launch is one of the service; a user's own viommud sees the boot in every release. */
START_TEST(new_leases)
{
    static const struct {
        ViommuAskerKind kind;
        bool zeros;
    } cases[] = {{VIOMMU_ASKER_MEMBER, true}, {VIOMMU_ASKER_ROOT, true}, {VIOMMU_ASKER_OWN, false}};
    g_autoptr(ViommuRequest) request = unit_request("{'lease': <{'seconds': <60>}>}");
    g_autoptr(ViommuConfig) config = viommu_config_new();

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const ViommuAsker asker = {.kind = cases[i].kind, .uid = 1000};
        g_autoptr(ViommuMetadata) metadata = g_new0(ViommuMetadata, 1);
        g_auto(ViommuLease) lease = {0};

        ck_assert(viommu_lease_settle(config, request, &asker, &lease, NULL));
        viommu_lease_begin(&lease);
        viommu_lease_write(&lease, metadata);
        ck_assert_str_eq(metadata->boot, cases[i].zeros ? UNKNOWN_BOOT : viommu_boottime_boot());
        ck_assert_pstr_eq(metadata->host_boot, cases[i].zeros ? viommu_boottime_boot() : NULL);
    }
}
END_TEST

UNIT_MAIN("previous-release", all_are_served, ended_leases, leases_of_the_service, new_leases)
