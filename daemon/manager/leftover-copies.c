/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leftover-copies: a worker removes the files, and the loop then drops them from the ledger.  Does
 * not know which launch made them. */
#include "daemon/manager/leftover-copies.h"

#include "daemon/libvirt/backend.h"
#include "daemon/files/boot-copies.h"

/* The owner of copies whose owner is not known; they count only in the sum of all users. */
#define NOBODY UINT32_MAX

struct ViommuRemains {
    ViommuRegistry *registry;
    ViommuLedger *ledger;
    ViommuWorker *worker;
    const char *directory;
};

typedef struct Removal {
    ViommuRemains *remains;
    char *uuid;
    bool done;
} Removal;

ViommuRemains *viommu_remains_new(ViommuRegistry *registry, ViommuLedger *ledger, ViommuWorker *worker,
                                  const char *directory)
{
    ViommuRemains *remains = g_new(ViommuRemains, 1);

    *remains = (ViommuRemains){registry, ledger, worker, directory};
    return remains;
}

void viommu_remains_free(ViommuRemains *remains)
{
    g_free(remains);
}

static void work_remove(void *data)
{
    Removal *removal = data;

    /* Copies that cannot be removed now stay in the ledger until the next listing finds them. */
    removal->done = viommu_copies_remove(removal->remains->directory, removal->uuid, NULL);
}

static void done_remove(void *data)
{
    Removal *removal = data;

    if (removal->done)
        viommu_ledger_drop(removal->remains->ledger, removal->uuid);
    g_free(removal->uuid);
    g_free(removal);
}

static void remove_copies(ViommuRemains *remains, const char *uuid)
{
    Removal *removal = g_new0(Removal, 1);

    removal->remains = remains;
    removal->uuid = g_strdup(uuid);
    viommu_worker_run(remains->worker, VIOMMU_WORKER_NOBODY, work_remove, done_remove, removal);
}

void viommu_remains_remove(ViommuRemains *remains, const char *uuid)
{
    if (viommu_ledger_has(remains->ledger, uuid))
        remove_copies(remains, uuid);
}

/* UUID -> whether it is active. */
static GHashTable *index_domains(const GPtrArray *domains)
{
    GHashTable *active = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < domains->len; i++) {
        const ViommuDomain *domain = g_ptr_array_index(domains, i);

        g_hash_table_insert(active, (char *)domain->uuid, GINT_TO_POINTER(domain->active));
    }
    return active;
}

static void settle_one(ViommuRemains *remains, const char *uuid, const ViommuCopiesSize *size,
                       GHashTable *active)
{
    const ViommuMachine *machine = viommu_registry_by_uuid(remains->registry, uuid);
    bool is_there = g_hash_table_contains(active, uuid);
    bool runs = GPOINTER_TO_INT(g_hash_table_lookup(active, uuid));

    /* A launch or a stop removes its own copies. */
    if (machine && viommu_machine_is_busy(machine))
        return;
    viommu_ledger_note(remains->ledger, uuid, machine ? machine->owner_uid : NOBODY, size);
    /* libvirt restores a saved guest with them. */
    if (machine && machine->result == VIOMMU_RESULT_SAVED)
        return;
    if ((!machine && !is_there) || (machine && machine->state == VIOMMU_STATE_STOPPED && is_there && !runs))
        remove_copies(remains, uuid);
}

void viommu_remains_settle(ViommuRemains *remains, GHashTable *copies, const GPtrArray *domains)
{
    g_autoptr(GPtrArray) noted = viommu_ledger_list(remains->ledger);
    g_autoptr(GHashTable) active = index_domains(domains);
    GHashTableIter iterator;
    void *uuid, *size;

    for (guint i = 0; i < noted->len; i++) {
        const ViommuMachine *machine = viommu_registry_by_uuid(remains->registry, noted->pdata[i]);

        /* A machine that is not busy now either was not busy when the listing began, or has made no
         * copies since. */
        if (!g_hash_table_contains(copies, noted->pdata[i]) &&
            (!machine || viommu_registry_is_settled(remains->registry, machine)))
            viommu_ledger_drop(remains->ledger, noted->pdata[i]);
    }
    g_hash_table_iter_init(&iterator, copies);
    while (g_hash_table_iter_next(&iterator, &uuid, &size))
        settle_one(remains, uuid, size, active);
}
