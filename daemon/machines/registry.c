/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* registry: keeps three tables and one watcher.  Does not know why a machine changes. */
#include "daemon/machines/registry.h"

#include <string.h>

struct ViommuRegistry {
    GHashTable *machines; /* UUID -> ViommuMachine, owned */
    GTree *names;         /* name -> ViommuMachine; all lists are sorted by name */
    GHashTable *requests; /* "UID:REQUEST-ID", owned -> ViommuMachine */
    const ViommuRegistryWatcher *watcher;
    void *userdata;
    bool show_all;
    unsigned epoch;
    GHashTable *ended; /* of UUIDs, in this epoch */
};

ViommuRegistry *viommu_registry_new(void)
{
    ViommuRegistry *registry = g_new0(ViommuRegistry, 1);

    registry->machines =
        g_hash_table_new_full(g_str_hash, g_str_equal, NULL, (GDestroyNotify)viommu_machine_free);
    registry->names = g_tree_new((GCompareFunc)strcmp);
    registry->requests = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return registry;
}

void viommu_registry_free(ViommuRegistry *registry)
{
    if (!registry)
        return;
    g_hash_table_unref(registry->requests);
    g_tree_unref(registry->names);
    g_hash_table_unref(registry->machines);
    g_clear_pointer(&registry->ended, g_hash_table_unref);
    g_free(registry);
}

void viommu_registry_watch(ViommuRegistry *registry, const ViommuRegistryWatcher *watcher, void *userdata)
{
    registry->watcher = watcher;
    registry->userdata = userdata;
}

static char *request_key(uint32_t uid, const char *request_id)
{
    return g_strdup_printf("%u:%s", uid, request_id);
}

void viommu_registry_add(ViommuRegistry *registry, ViommuMachine *machine)
{
    g_assert(!viommu_registry_by_name(registry, machine->name));
    viommu_machine_touch(machine, registry->epoch);
    g_hash_table_insert(registry->machines, machine->uuid, machine);
    g_tree_insert(registry->names, machine->name, machine);
    if (machine->request_id)
        g_hash_table_insert(registry->requests, request_key(machine->owner_uid, machine->request_id),
                            machine);
}

void viommu_registry_show_all(ViommuRegistry *registry)
{
    registry->show_all = true;
}

/* Whether all users may see the machine: only its owner may see a launch that has not succeeded, or
 * learn when its files are opened. */
static bool has_run(const ViommuRegistry *registry, const ViommuMachine *machine)
{
    return registry->show_all || machine->foreign || machine->state == VIOMMU_STATE_RUNNING ||
           machine->state == VIOMMU_STATE_STOPPED;
}

void viommu_registry_announce(ViommuRegistry *registry, ViommuMachine *machine)
{
    viommu_machine_announce(machine, has_run(registry, machine));
    if (registry->watcher)
        registry->watcher->added(machine, registry->userdata);
}

void viommu_registry_bind(ViommuRegistry *registry, ViommuMachine *machine)
{
    if (machine->client && registry->watcher)
        registry->watcher->bound(machine, registry->userdata);
}

static void drop(ViommuRegistry *registry, ViommuMachine *machine)
{
    if (machine->announced && registry->watcher)
        registry->watcher->removed(machine, registry->userdata);
    if (registry->ended)
        g_hash_table_add(registry->ended, g_strdup(machine->uuid));
    if (machine->request_id) {
        g_autofree char *key = request_key(machine->owner_uid, machine->request_id);
        g_hash_table_remove(registry->requests, key);
    }
    g_tree_remove(registry->names, machine->name);
    g_hash_table_remove(registry->machines, machine->uuid);
}

static void tell(ViommuRegistry *registry, const ViommuMachine *machine, unsigned changes)
{
    if (changes && machine->announced && registry->watcher)
        registry->watcher->changed(machine, changes, registry->userdata);
}

bool viommu_registry_feed(ViommuRegistry *registry, ViommuMachine *machine, ViommuEvent event)
{
    bool gone = false;
    unsigned changes = viommu_machine_step(machine, event, &gone);

    if (changes)
        viommu_machine_touch(machine, registry->epoch);
    /* A machine that is gone must not be announced: the watcher would see that its client has left,
     * and end it again. */
    if (!gone && machine->announced && !machine->shown && has_run(registry, machine))
        viommu_registry_announce(registry, machine);
    tell(registry, machine, changes);
    if (gone)
        drop(registry, machine);
    return gone;
}

void viommu_registry_replan(ViommuRegistry *registry, ViommuMachine *machine, const ViommuMetadata *metadata)
{
    viommu_machine_fill(machine, metadata);
    tell(registry, machine, VIOMMU_MACHINE_CHANGE_PLAN);
}

void viommu_registry_warn(ViommuRegistry *registry, ViommuMachine *machine, const char *text)
{
    tell(registry, machine, viommu_machine_warn(machine, text));
}

bool viommu_registry_pause(ViommuRegistry *registry, ViommuMachine *machine, ViommuPause pause)
{
    unsigned changes = viommu_machine_pause(machine, pause);

    if (changes)
        viommu_machine_touch(machine, registry->epoch);
    tell(registry, machine, changes);
    return changes != 0;
}

void viommu_registry_extend(ViommuRegistry *registry, ViommuMachine *machine, uint64_t end_usec)
{
    tell(registry, machine, viommu_machine_extend(machine, end_usec));
}

void viommu_registry_attach(ViommuRegistry *registry, ViommuMachine *machine, const ViommuAttached *attached)
{
    tell(registry, machine, viommu_machine_attach(machine, attached));
}

bool viommu_registry_detach(ViommuRegistry *registry, ViommuMachine *machine, const char *id)
{
    unsigned changes = viommu_machine_detach(machine, id);

    tell(registry, machine, changes);
    return changes;
}

void viommu_registry_prove(ViommuRegistry *registry, ViommuMachine *machine)
{
    tell(registry, machine, viommu_machine_prove(machine));
}

void viommu_registry_ready(ViommuRegistry *registry, ViommuMachine *machine)
{
    tell(registry, machine, viommu_machine_ready(machine));
}

void viommu_registry_tell_ready(ViommuRegistry *registry, ViommuMachine *machine, bool ready)
{
    tell(registry, machine, viommu_machine_tell_ready(machine, ready));
}

void viommu_registry_reach(ViommuRegistry *registry, ViommuMachine *machine, ViommuReach *reach)
{
    tell(registry, machine, viommu_machine_set_reach(machine, reach));
}

void viommu_registry_move(ViommuRegistry *registry, ViommuMachine *machine, unsigned position)
{
    tell(registry, machine, viommu_machine_move(machine, position));
}

void viommu_registry_fail(ViommuRegistry *registry, ViommuMachine *machine, const GError *error)
{
    tell(registry, machine, viommu_machine_fail(machine, error));
}

ViommuMachine *viommu_registry_by_uuid(const ViommuRegistry *registry, const char *uuid)
{
    return g_hash_table_lookup(registry->machines, uuid);
}

ViommuMachine *viommu_registry_by_name(const ViommuRegistry *registry, const char *name)
{
    return g_tree_lookup(registry->names, name);
}

ViommuMachine *viommu_registry_by_request(const ViommuRegistry *registry, uint32_t uid,
                                          const char *request_id)
{
    g_autofree char *key = request_key(uid, request_id);

    return g_hash_table_lookup(registry->requests, key);
}

ViommuMachine *viommu_registry_find(const ViommuRegistry *registry, const char *name_or_uuid)
{
    ViommuMachine *machine = viommu_registry_by_uuid(registry, name_or_uuid);

    /* The UUID comes first, because a user may name a machine like the UUID of another. */
    if (!machine)
        machine = viommu_registry_by_name(registry, name_or_uuid);
    return machine && machine->announced ? machine : NULL;
}

typedef struct List {
    GPtrArray *machines;
    bool announced;
} List;

static gboolean add_to_list(void *name, void *machine, void *data)
{
    const List *list = data;

    if (!list->announced || ((ViommuMachine *)machine)->announced)
        g_ptr_array_add(list->machines, machine);
    return FALSE;
}

GPtrArray *viommu_registry_list(const ViommuRegistry *registry, bool announced)
{
    List list = {g_ptr_array_new(), announced};

    g_tree_foreach(registry->names, add_to_list, &list);
    return list.machines;
}

ViommuRegistryIterator viommu_registry_iterate(const ViommuRegistry *registry)
{
    ViommuRegistryIterator iterator;

    g_hash_table_iter_init(&iterator.machines, registry->machines);
    return iterator;
}

ViommuMachine *viommu_registry_next(ViommuRegistryIterator *iterator)
{
    void *machine = NULL;

    return g_hash_table_iter_next(&iterator->machines, NULL, &machine) ? machine : NULL;
}

unsigned viommu_registry_count(const ViommuRegistry *registry)
{
    return g_hash_table_size(registry->machines);
}

void viommu_registry_begin_epoch(ViommuRegistry *registry)
{
    registry->epoch++;
    g_clear_pointer(&registry->ended, g_hash_table_unref);
    registry->ended = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

void viommu_registry_end_epoch(ViommuRegistry *registry)
{
    g_clear_pointer(&registry->ended, g_hash_table_unref);
}

bool viommu_registry_is_settled(const ViommuRegistry *registry, const ViommuMachine *machine)
{
    return machine->epoch < registry->epoch && !viommu_machine_is_busy(machine);
}

bool viommu_registry_has_ended(const ViommuRegistry *registry, const char *uuid)
{
    return registry->ended && g_hash_table_contains(registry->ended, uuid);
}
