/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pauses: a question for each machine of which something was reported, and a rest after it; what is
 * reported meanwhile makes the answer void, and leads to one more question. */
#include "daemon/manager/pauses.h"

#include "daemon/machines/journal-events.h"
#include "daemon/machines/waiters.h"
#include "daemon/process/journal.h"

struct ViommuPauses {
    ViommuPausesContext context;
    GHashTable *looks; /* uuid -> Look, owned */
};

typedef struct Look {
    ViommuPauses *pauses;
    char *uuid;
    uint32_t owner_uid;
    ViommuPause said; /* by the last event */
    ViommuPause seen; /* by the question */
    bool again;       /* reported since the question began */
    ViommuWaiters *waiters;
    sd_event_source *rest;
} Look;

static void free_look(void *data)
{
    Look *look = data;

    sd_event_source_disable_unref(look->rest);
    viommu_waiters_free(look->waiters);
    g_free(look->uuid);
    g_free(look);
}

ViommuPauses *viommu_pauses_new(const ViommuPausesContext *context)
{
    ViommuPauses *pauses = g_new0(ViommuPauses, 1);

    pauses->context = *context;
    pauses->looks = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_look);
    return pauses;
}

void viommu_pauses_free(ViommuPauses *pauses)
{
    if (!pauses)
        return;
    g_hash_table_unref(pauses->looks);
    g_free(pauses);
}

static void note(ViommuPauses *pauses, const Look *look)
{
    ViommuMachine *machine = viommu_registry_by_uuid(pauses->context.registry, look->uuid);

    if (machine && viommu_registry_pause(pauses->context.registry, machine, look->seen) &&
        viommu_journal_may_tell_of(VIOMMU_FLOW_PAUSES, machine->owner_uid))
        viommu_journal_paused(machine);
}

static void look_work(void *data)
{
    Look *look = data;

    /* Without an answer what the event said holds. */
    (void)viommu_backend_find_pause(look->pauses->context.backend, look->uuid, &look->seen, NULL);
}

static void begin(Look *look);

static int on_rested(sd_event_source *source, uint64_t usec, void *userdata)
{
    Look *look = userdata;

    look->rest = sd_event_source_disable_unref(look->rest);
    if (look->again)
        begin(look);
    else
        g_hash_table_remove(look->pauses->looks, look->uuid);
    return 0;
}

static void look_done(void *data)
{
    Look *look = data;

    if (!look->again) {
        note(look->pauses, look);
        viommu_waiters_answer(look->waiters, &(ViommuOutcome){0});
    }
    if (sd_event_add_time_relative(viommu_loop_event(look->pauses->context.loop), &look->rest,
                                   CLOCK_MONOTONIC, VIOMMU_PAUSES_REST_USEC, 0, on_rested, look) < 0) {
        viommu_waiters_answer(look->waiters, &(ViommuOutcome){0});
        g_hash_table_remove(look->pauses->looks, look->uuid);
    }
}

static void begin(Look *look)
{
    look->again = false;
    look->seen = look->said;
    viommu_worker_run(look->pauses->context.calls, look->owner_uid, look_work, look_done, look);
}

static Look *take(ViommuPauses *pauses, const ViommuMachine *machine, ViommuPause pause)
{
    Look *look = g_hash_table_lookup(pauses->looks, machine->uuid);
    bool is_new = !look;

    if (is_new) {
        look = g_new0(Look, 1);
        *look = (Look){.pauses = pauses,
                       .uuid = g_strdup(machine->uuid),
                       .owner_uid = machine->owner_uid,
                       .waiters = viommu_waiters_new()};
        g_hash_table_insert(pauses->looks, look->uuid, look);
    }
    look->said = pause;
    look->again = true;
    if (is_new)
        begin(look);
    return look;
}

void viommu_pauses_take(ViommuPauses *pauses, const ViommuMachine *machine, ViommuPause pause)
{
    (void)take(pauses, machine, pause);
}

/* The worker answers on the loop, so not before the waiter is added. */
void viommu_pauses_settle(ViommuPauses *pauses, const ViommuMachine *machine, ViommuPause pause,
                          const ViommuWaiter *waiter)
{
    viommu_waiters_add(take(pauses, machine, pause)->waiters, waiter);
}

void viommu_pauses_fail_all(ViommuPauses *pauses, const GError *error)
{
    const ViommuOutcome outcome = {.error = error};
    GHashTableIter iter;
    void *look;

    g_hash_table_iter_init(&iter, pauses->looks);
    while (g_hash_table_iter_next(&iter, NULL, &look))
        viommu_waiters_answer(((Look *)look)->waiters, &outcome);
}
