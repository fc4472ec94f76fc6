/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fixture: puts it together like daemon/service.c, without a bus and without files of a site. */
#include "tests/daemon/fixture.h"

#include <ftw.h>
#include <stdio.h>
#include <unistd.h>
#include "daemon/process/journal.h"

#define TURN_USEC (20 * G_TIME_SPAN_MILLISECOND)

void answer_clear(Answer *answer)
{
    g_clear_pointer(&answer->message, g_free);
    g_clear_pointer(&answer->report, g_variant_unref);
    g_clear_pointer(&answer->xml, g_free);
    g_clear_pointer(&answer->usage, g_hash_table_unref);
    *answer = (Answer){0};
}

static void take_answer(const ViommuOutcome *outcome, void *userdata)
{
    Answer *answer = userdata;

    answer->n++;
    answer->code = outcome->error ? outcome->error->code : -1;
    answer->message = outcome->error ? g_strdup(outcome->error->message) : NULL;
    if (outcome->machine)
        g_strlcpy(answer->uuid, outcome->machine->uuid, sizeof(answer->uuid));
    answer->report = outcome->report ? g_variant_ref(outcome->report) : NULL;
    answer->xml = g_strdup(outcome->xml);
    answer->model = outcome->model;
    answer->status = outcome->status;
    answer->usage = outcome->usage ? g_hash_table_ref(outcome->usage) : NULL;
}

ViommuWaiter answer_waiter(Answer *answer)
{
    return (ViommuWaiter){take_answer, answer};
}

/* --- Threads of the backend --- */

typedef struct Posted {
    Fixture *fixture;
    ViommuNews news;
} Posted;

static void deliver_news(void *data)
{
    Posted *posted = data;

    if (!posted->fixture->ended && posted->fixture->manager)
        viommu_manager_take_news(posted->fixture->manager, &posted->news);
    g_free(posted->news.detail);
    g_free(posted);
}

static void on_news(const ViommuNews *news, void *userdata)
{
    Posted *posted = g_new(Posted, 1);

    *posted = (Posted){userdata, *news};
    posted->news.detail = g_strdup(news->detail);
    viommu_loop_post(posted->fixture->loop, deliver_news, posted);
}

static void deliver_console(void *data)
{
    Posted *posted = data;

    if (!posted->fixture->ended && posted->fixture->manager)
        viommu_manager_take_console(posted->fixture->manager, posted->news.uuid);
    g_free(posted);
}

static void on_console(const char *uuid, void *userdata)
{
    Posted *posted = g_new0(Posted, 1);

    posted->fixture = userdata;
    g_strlcpy(posted->news.uuid, uuid, sizeof(posted->news.uuid));
    viommu_loop_post(posted->fixture->loop, deliver_console, posted);
}

/* --- Beginning and end --- */

void fixture_begin(Fixture *fixture)
{
    const ViommuWorkersSizes sizes = {.threads = 4, .agents = 4, .one_user = true};
    GError *error = NULL;

    *fixture = (Fixture){.directory = g_dir_make_tmp("viommu-fixture-XXXXXX", NULL)};
    fixture->copies = g_build_filename(fixture->directory, "copies", NULL);
    fixture->proof_seconds = FIXTURE_SECONDS;
    unit_assert_ok(viommu_loop_new(&fixture->loop, &error), error);
    unit_assert_ok(
        viommu_readers_new(fixture->loop, FIXTURE_SECONDS, FIXTURE_SECONDS, &fixture->readers, &error),
        error);
    unit_assert_ok(viommu_workers_new(fixture->loop, &sizes, &fixture->workers, &error), error);
    unit_assert_ok(viommu_backend_new("fake:///", 4, &fixture->backend, &error), error);
    viommu_journal_open(fixture->loop);
    fixture->config = viommu_config_new();
    fixture->config->console_directory = g_strdup(fixture->directory);
    fixture->config->policy.confinement = VIOMMU_CONFINEMENT_OFF;
    viommu_config_bound(fixture->config, &(ViommuBoundsHost){.own = true});
    fixture->files = (ViommuFilesSite){.own = true, .copies = fixture->copies};
}

static void on_adopted(void *userdata)
{
    ((Fixture *)userdata)->adopted = true;
}

void fixture_manage(Fixture *fixture)
{
    const ViommuManagerContext context = {
        fixture->loop,
        fixture->workers,
        fixture->backend,
        fixture->config,
        &fixture->files,
        fixture->readers,
        viommu_backend_watch_consoles(fixture->backend, on_console, fixture),
        fixture->former_consoles,
        fixture->directory,
        fixture->proof_seconds,
        2,
        fixture->has_ready_file ? fixture->ready_file : -1,
    };
    GError *error = NULL;

    fixture->manager = viommu_manager_new(&context);
    viommu_manager_adopt_all(fixture->manager, on_adopted, fixture);
    unit_assert_ok(viommu_backend_watch(fixture->backend, on_news, fixture, &error), error);
    fake_tell(VIOMMU_NEWS_CONNECTED, "", NULL);
    fixture_await(fixture, fixture->adopted);
}

void fixture_start(Fixture *fixture)
{
    fixture_begin(fixture);
    fixture_manage(fixture);
}

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *where)
{
    return remove(path);
}

void fixture_end(Fixture *fixture)
{
    if (!fixture->loop)
        return;
    for (int call = 0; call < FAKE_CALL_LAST; call++)
        fake_release((FakeCall)call);
    fixture->ended = true;
    viommu_workers_clear(&fixture->workers);
    viommu_loop_drain(fixture->loop);
    g_clear_pointer(&fixture->manager, viommu_manager_free);
    g_clear_pointer(&fixture->backend, viommu_backend_free);
    g_clear_pointer(&fixture->readers, viommu_readers_free);
    viommu_journal_close();
    g_clear_pointer(&fixture->loop, viommu_loop_free);
    g_clear_pointer(&fixture->config, viommu_config_free);
    nftw(fixture->directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    g_clear_pointer(&fixture->directory, g_free);
    g_clear_pointer(&fixture->copies, g_free);
    g_clear_pointer(&fixture->former_consoles, g_free);
}

/* --- Turns --- */

void fixture_turn(Fixture *fixture)
{
    ck_assert_int_ge(sd_event_run(viommu_loop_event(fixture->loop), TURN_USEC), 0);
}

void fixture_settle(Fixture *fixture)
{
    /* A posted function may give a worker more work. */
    viommu_loop_drain(fixture->loop);
    fixture_await(fixture, viommu_workers_pending(&fixture->workers) == 0);
    viommu_loop_drain(fixture->loop);
    fixture_await(fixture, viommu_workers_pending(&fixture->workers) == 0);
}

/* --- Machines --- */

void fixture_begin_launch(Fixture *fixture, const char *request, Answer *ret_answer)
{
    const ViommuAsker asker = {.kind = VIOMMU_ASKER_OWN, .uid = 1000};
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_launch(fixture->manager, unit_request(request), &asker, "1:1", &waiter);
}

void fixture_launch(Fixture *fixture, const char *request, Answer *ret_answer)
{
    fixture_begin_launch(fixture, request, ret_answer);
    fixture_await(fixture, ret_answer->n > 0);
}

ViommuMachine *fixture_find(Fixture *fixture, const char *name_or_uuid)
{
    return viommu_registry_find(viommu_manager_registry(fixture->manager), name_or_uuid);
}

ViommuMachine *fixture_machine(Fixture *fixture, const char *request)
{
    g_auto(Answer) answer = {0};
    ViommuMachine *machine;

    fixture_launch(fixture, request, &answer);
    assert_went_well(&answer);
    machine = fixture_find(fixture, answer.uuid);
    ck_assert_ptr_nonnull(machine);
    fixture_settle(fixture);
    return machine;
}

void fixture_begin_stop(Fixture *fixture, const char *name, uint32_t seconds, Answer *ret_answer)
{
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_stop(fixture->manager, fixture_find(fixture, name), seconds, &waiter);
}

void fixture_stop(Fixture *fixture, const char *name, uint32_t seconds, Answer *ret_answer)
{
    fixture_begin_stop(fixture, name, seconds, ret_answer);
    fixture_await(fixture, ret_answer->n > 0);
}

void fixture_extend(Fixture *fixture, uint64_t seconds, bool bound, Answer *ret_answer)
{
    const ViommuWaiter waiter = answer_waiter(ret_answer);

    *ret_answer = (Answer){0};
    viommu_manager_extend(fixture->manager, fixture_find(fixture, "one"), seconds, bound, &waiter);
}

void fixture_note_end(bool finished, void *ret_finished)
{
    *(int *)ret_finished = finished;
}

char *fixture_additions(const char *name, const char *uuid)
{
    return g_strdup_printf("<additions name='%s' uuid='%s'/>", name, uuid);
}

char *fixture_metadata(ViommuState phase)
{
    g_autoptr(ViommuMetadata) metadata = g_new0(ViommuMetadata, 1);

    *metadata = (ViommuMetadata){
        .owner_uid = 1000,
        .phase = phase,
        .fingerprint = g_strnfill(64, 'a'),
        .request = g_strdup("{}"),
        .arch = VIOMMU_ARCH_X86_64,
        .machine = g_strdup("q35"),
        .accelerator = VIOMMU_ACCELERATOR_TCG,
        .model = VIOMMU_MODEL_INTEL,
        .vcpus = 1,
        .memory_bytes = 1 << 30,
        .reasons = g_new0(char *, 1),
        .warnings = g_new0(char *, 1),
        .hostdevs = g_new0(char *, 1),
        .created_usec = 1,
    };
    return viommu_metadata_to_xml(metadata);
}
