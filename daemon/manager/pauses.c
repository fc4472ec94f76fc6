/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pauses: one question for each machine that counts; later news makes an earlier one void. */
#include "daemon/manager/pauses.h"

#include "daemon/machines/journal-events.h"

struct ViommuPauses {
    ViommuRegistry *registry;
    ViommuBackend *backend;
    ViommuWorker *calls;
    GHashTable *looks; /* uuid -> Look, of those that count */
};

typedef struct Look {
    ViommuPauses *pauses;
    ViommuBackend *backend;
    char *uuid;
    ViommuPause pause;
} Look;

ViommuPauses *viommu_pauses_new(ViommuRegistry *registry, ViommuBackend *backend, ViommuWorker *calls)
{
    ViommuPauses *pauses = g_new0(ViommuPauses, 1);

    pauses->registry = registry;
    pauses->backend = backend;
    pauses->calls = calls;
    pauses->looks = g_hash_table_new(g_str_hash, g_str_equal);
    return pauses;
}

void viommu_pauses_free(ViommuPauses *pauses)
{
    if (!pauses)
        return;
    g_hash_table_unref(pauses->looks);
    g_free(pauses);
}

static void note(ViommuPauses *pauses, ViommuMachine *machine, ViommuPause pause)
{
    if (viommu_registry_pause(pauses->registry, machine, pause))
        viommu_journal_paused(machine);
}

static void look_work(void *data)
{
    Look *look = data;

    /* Without an answer what the event said holds. */
    (void)viommu_backend_find_pause(look->backend, look->uuid, &look->pause, NULL);
}

static void look_done(void *data)
{
    Look *look = data;
    ViommuPauses *pauses = look->pauses;
    ViommuMachine *machine = viommu_registry_by_uuid(pauses->registry, look->uuid);

    if (g_hash_table_lookup(pauses->looks, look->uuid) == look) {
        g_hash_table_remove(pauses->looks, look->uuid);
        if (machine)
            note(pauses, machine, look->pause);
    }
    g_free(look->uuid);
    g_free(look);
}

void viommu_pauses_take(ViommuPauses *pauses, ViommuMachine *machine, ViommuPause pause)
{
    Look *look;

    g_hash_table_remove(pauses->looks, machine->uuid);
    if (pause == VIOMMU_PAUSE_NONE) {
        note(pauses, machine, pause);
        return;
    }
    look = g_new0(Look, 1);
    *look = (Look){pauses, pauses->backend, g_strdup(machine->uuid), pause};
    g_hash_table_replace(pauses->looks, look->uuid, look);
    viommu_worker_run(pauses->calls, machine->owner_uid, look_work, look_done, look);
}
