/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach-keeper: a timer for each machine that has something to be asked. */
#include "daemon/manager/reach-keeper.h"

#include <time.h>
#include "daemon/process/journal.h"
#include "daemon/process/log.h"

/* Until it is known; each pause is twice the one before it. */
#define FIRST_PAUSE_MSEC 500u
#define LAST_PAUSE_MSEC  60000u
/* Addresses that are known. */
#define AGAIN_MSEC    300000u
#define ACCURACY_USEC (100 * G_TIME_SPAN_MILLISECOND)

struct ViommuReachKeeper {
    ViommuLoop *loop;
    ViommuRegistry *registry;
    ViommuReachRoom room;
    GHashTable *watched; /* UUID -> Watch, owned */
};

/* A machine. */
typedef struct Watch {
    ViommuReachKeeper *keeper;
    char uuid[37];
    unsigned pause_msec;
    bool asked; /* an answer is to come */
    bool stale; /* and it is of an earlier guest */
    bool told;  /* that libvirt does not say it */
    sd_event_source *timer;
} Watch;

static void free_watch(void *data)
{
    Watch *watch = data;

    sd_event_source_disable_unref(watch->timer);
    g_free(watch);
}

ViommuReachKeeper *viommu_reach_keeper_new(ViommuLoop *loop, ViommuRegistry *registry,
                                           const ViommuReachRoom *room)
{
    ViommuReachKeeper *keeper = g_new0(ViommuReachKeeper, 1);

    keeper->loop = loop;
    keeper->registry = registry;
    keeper->room = *room;
    keeper->watched = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_watch);
    return keeper;
}

void viommu_reach_keeper_free(ViommuReachKeeper *keeper)
{
    if (!keeper)
        return;
    g_hash_table_unref(keeper->watched);
    g_free(keeper);
}

/* NULL: it does not run any more. */
static ViommuMachine *find(const ViommuReachKeeper *keeper, const char *uuid)
{
    ViommuMachine *machine = viommu_registry_by_uuid(keeper->registry, uuid);

    return machine && machine->state == VIOMMU_STATE_RUNNING ? machine : NULL;
}

/* What is not known, and what may have changed. */
static uint64_t to_ask(const ViommuMachine *machine)
{
    return viommu_machine_unknown_reach(machine) |
           (machine->reach_kinds & VIOMMU_BIT(VIOMMU_REACH_ADDRESSES));
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata);

/* Without a timer it is asked no more. */
static void set_timer(Watch *watch, unsigned msec)
{
    sd_event_source_disable_unref(watch->timer);
    watch->timer = NULL;
    if (sd_event_add_time_relative(viommu_loop_event(watch->keeper->loop), &watch->timer, CLOCK_MONOTONIC,
                                   (uint64_t)msec * G_TIME_SPAN_MILLISECOND, ACCURACY_USEC, on_timer,
                                   watch) < 0)
        g_hash_table_remove(watch->keeper->watched, watch->uuid);
}

/* Once, as each further try may fail in the same way. */
static void tell_failure(Watch *watch, const ViommuMachine *machine, const GError *error)
{
    const ViommuLogFields fields = {.machine_name = machine->name, .machine_uuid = machine->uuid};

    if (!watch->told && viommu_journal_may_tell(machine->owner_uid))
        viommu_log_error(LOG_WARNING, &fields, error, "reading how a machine is reached");
    watch->told = true;
}

/* What was asked, and what was known before that was not asked. */
static void take(ViommuReachKeeper *keeper, ViommuMachine *machine, ViommuReach *reach, bool failed)
{
    g_auto(ViommuReach) whole = {.vsock_cid = reach->vsock_cid ? reach->vsock_cid : machine->reach.vsock_cid};
    GArray *forwards = reach->forwards ? reach->forwards : machine->reach.forwards;
    char **addresses = reach->addresses || !failed ? reach->addresses : machine->reach.addresses;

    whole.forwards = forwards ? g_array_ref(forwards) : NULL;
    whole.addresses = g_strdupv(addresses);
    viommu_registry_reach(keeper->registry, machine, &whole);
}

static void on_reach(const char *uuid, ViommuReach *reach, const GError *error, void *userdata)
{
    ViommuReachKeeper *keeper = userdata;
    Watch *watch = g_hash_table_lookup(keeper->watched, uuid);
    ViommuMachine *machine = find(keeper, uuid);

    if (!watch)
        return;
    watch->asked = false;
    if (!machine) {
        g_hash_table_remove(keeper->watched, uuid);
        return;
    }
    if (watch->stale) {
        watch->stale = watch->told = false;
        watch->pause_msec = FIRST_PAUSE_MSEC;
        set_timer(watch, 0);
        return;
    }
    if (error)
        tell_failure(watch, machine, error);
    take(keeper, machine, reach, error);
    if (viommu_machine_unknown_reach(machine)) {
        set_timer(watch, watch->pause_msec);
        watch->pause_msec = MIN(2 * watch->pause_msec, LAST_PAUSE_MSEC);
    } else if (to_ask(machine)) {
        set_timer(watch, AGAIN_MSEC);
    } else {
        g_hash_table_remove(keeper->watched, uuid);
    }
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    Watch *watch = userdata;
    ViommuReachKeeper *keeper = watch->keeper;
    const ViommuMachine *machine = find(keeper, watch->uuid);

    watch->asked = machine;
    if (machine)
        viommu_reach_ask(&keeper->room, machine, to_ask(machine), on_reach, keeper);
    else
        g_hash_table_remove(keeper->watched, watch->uuid);
    return 0;
}

void viommu_reach_keeper_watch(ViommuReachKeeper *keeper, const ViommuMachine *machine)
{
    Watch *watch;

    if (machine->state != VIOMMU_STATE_RUNNING || !to_ask(machine) ||
        g_hash_table_contains(keeper->watched, machine->uuid))
        return;
    watch = g_new0(Watch, 1);
    watch->keeper = keeper;
    g_strlcpy(watch->uuid, machine->uuid, sizeof(watch->uuid));
    watch->pause_msec = FIRST_PAUSE_MSEC;
    g_hash_table_insert(keeper->watched, watch->uuid, watch);
    set_timer(watch, 0);
}

void viommu_reach_keeper_forget(ViommuReachKeeper *keeper, const ViommuMachine *machine)
{
    Watch *watch = g_hash_table_lookup(keeper->watched, machine->uuid);

    if (watch && watch->asked)
        watch->stale = true;
    else
        g_hash_table_remove(keeper->watched, machine->uuid);
}

void viommu_reach_keeper_watch_all(ViommuReachKeeper *keeper)
{
    ViommuRegistryIterator machines = viommu_registry_iterate(keeper->registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&machines));)
        viommu_reach_keeper_watch(keeper, machine);
}
