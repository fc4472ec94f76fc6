/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* evictions: a timer, a look, and at most one guest that is being ended. */
#include "daemon/manager/evictions.h"

#include <time.h>
#include "daemon/files/boot-copies.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/quantity.h"
#include "lib/policy/eviction.h"

#define LOOK_USEC G_USEC_PER_SEC

struct ViommuEvictions {
    ViommuEvictionsContext context;
    uint64_t limit_bytes;   /* must be free */
    sd_event_source *timer; /* NULL: not set */
    bool looking;
    bool full; /* the last look found too little room */
    bool told; /* and that no guest's end would help */
    /* the guest that was ended last; uuid NULL: none */
    char *uuid, *words;
    gint64 end_usec; /* monotonic: until then no other guest is ended, while its files are there */
};

ViommuEvictions *viommu_evictions_new(const ViommuEvictionsContext *context)
{
    ViommuEvictions *evictions = g_new0(ViommuEvictions, 1);

    evictions->context = *context;
    evictions->limit_bytes = viommu_eviction_limit(context->reserve_bytes);
    return evictions;
}

void viommu_evictions_free(ViommuEvictions *evictions)
{
    if (!evictions)
        return;
    sd_event_source_disable_unref(evictions->timer);
    g_free(evictions->uuid);
    g_free(evictions->words);
    g_free(evictions);
}

const char *viommu_evictions_words(const ViommuEvictions *evictions, const char *uuid)
{
    return g_strcmp0(evictions->uuid, uuid) == 0 ? evictions->words : NULL;
}

/* --- What libvirt is asked for --- */

typedef struct Order {
    ViommuBackend *backend;
    bool (*call)(ViommuBackend *backend, const char *uuid, GError **error);
    const char *what; /* for an error */
    char *name, *uuid;
    uint32_t owner_uid;
    GError *error;
} Order;

static void order_work(void *data)
{
    Order *order = data;

    order->call(order->backend, order->uuid, &order->error);
}

static void order_done(void *data)
{
    Order *order = data;
    const ViommuLogFields fields = {.machine_name = order->name, .machine_uuid = order->uuid};

    if (order->error && viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, order->owner_uid))
        viommu_log_error(LOG_WARNING, &fields, order->error, order->what);
    g_free(order->name);
    g_free(order->uuid);
    g_clear_error(&order->error);
    g_free(order);
}

/* @order without names. */
static void give(ViommuEvictions *evictions, ViommuWorker *worker, const ViommuMachine *machine,
                 const Order *order)
{
    Order *given = g_new(Order, 1);

    *given = *order;
    given->backend = evictions->context.backend;
    given->name = g_strdup(machine->name);
    given->uuid = g_strdup(machine->uuid);
    given->owner_uid = machine->owner_uid;
    viommu_worker_run(worker, given->owner_uid, order_work, order_done, given);
}

static void end_guest(ViommuEvictions *evictions, ViommuMachine *machine)
{
    const Order order = {.call = viommu_backend_destroy, .what = "ending a guest"};

    if (machine->state == VIOMMU_STATE_STOPPING)
        evictions->context.hurry(machine, evictions->context.userdata);
    else
        give(evictions, evictions->context.workers.ends, machine, &order);
}

/* Each once: another disk of theirs may be full, too. */
static void resume_all(ViommuEvictions *evictions)
{
    const Order order = {.call = viommu_backend_resume, .what = "letting a paused guest run again"};
    ViommuRegistryIterator iterator = viommu_registry_iterate(evictions->context.registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (machine->pause == VIOMMU_PAUSE_DISK_FULL && machine->state == VIOMMU_STATE_RUNNING &&
            viommu_ledger_has(evictions->context.ledger, machine->uuid))
            give(evictions, evictions->context.workers.calls, machine, &order);
}

/* --- The choice --- */

static void evict(ViommuEvictions *evictions, ViommuMachine *machine, uint64_t bytes)
{
    g_autofree char *reserve = viommu_quantity_format(evictions->context.reserve_bytes);
    g_autofree char *takes = viommu_quantity_format(bytes / VIOMMU_MIB * VIOMMU_MIB);

    g_free(evictions->uuid);
    g_free(evictions->words);
    evictions->uuid = g_strdup(machine->uuid);
    evictions->words = g_strdup_printf(
        "viommud ended the guest, because less than half of [limits] disk-reserve=%s was free on the file system of overlays, and the overlays of user %u took more of it than those of any other user; those of this machine took %s; launch it again and let it write less, or end other machines first",
        reserve, machine->owner_uid, takes);
    evictions->end_usec = g_get_monotonic_time() + VIOMMU_EVICTIONS_END_SEC * G_USEC_PER_SEC;
    viommu_journal_evicted(machine, evictions->words);
    end_guest(evictions, machine);
}

static void tell_no_help(ViommuEvictions *evictions)
{
    g_autofree char *reserve = viommu_quantity_format(evictions->context.reserve_bytes);

    if (!evictions->told && viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, VIOMMU_THROTTLE_NOBODY))
        viommu_log(
            LOG_WARNING, NULL,
            "The file system of '%s' has less than half of [limits] disk-reserve=%s free, and something else than guests' overlays fills it; make room there",
            evictions->context.copies, reserve);
    evictions->told = true;
}

/* The guests with overlays: machines, borrowed, and in their order what they take. */
static GPtrArray *list_guests(const ViommuEvictions *evictions, GHashTable *taken, GArray *ret_tenants)
{
    GPtrArray *machines = g_ptr_array_new();
    ViommuRegistryIterator iterator = viommu_registry_iterate(evictions->context.registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));) {
        const uint64_t *bytes = g_hash_table_lookup(taken, machine->uuid);
        const ViommuTenant tenant = {machine->owner_uid, bytes ? *bytes : 0};

        if (!bytes || (machine->state != VIOMMU_STATE_RUNNING && machine->state != VIOMMU_STATE_STOPPING))
            continue;
        g_ptr_array_add(machines, machine);
        g_array_append_val(ret_tenants, tenant);
    }
    return machines;
}

static bool is_ending(const ViommuEvictions *evictions)
{
    return evictions->uuid && viommu_ledger_has(evictions->context.ledger, evictions->uuid) &&
           g_get_monotonic_time() < evictions->end_usec;
}

static void judge(ViommuEvictions *evictions, uint64_t free_bytes, GHashTable *taken)
{
    g_autoptr(GArray) tenants = g_array_new(FALSE, FALSE, sizeof(ViommuTenant));
    g_autoptr(GPtrArray) machines = NULL;
    unsigned chosen;

    evictions->full = true;
    if (is_ending(evictions))
        return;
    machines = list_guests(evictions, taken, tenants);
    chosen = viommu_eviction_choose((const ViommuTenant *)(void *)tenants->data, tenants->len,
                                    evictions->limit_bytes - free_bytes);
    if (chosen < tenants->len)
        evict(evictions, machines->pdata[chosen], g_array_index(tenants, ViommuTenant, chosen).bytes);
    else
        tell_no_help(evictions);
}

/* --- The look --- */

typedef struct Look {
    ViommuEvictions *evictions;
    bool seen;
    uint64_t free_bytes;
    GHashTable *taken; /* NULL: there is room */
} Look;

static void look_work(void *data)
{
    Look *look = data;
    const char *directory = look->evictions->context.copies;

    look->seen = viommu_copies_measure_room(directory, &look->free_bytes);
    if (look->seen && look->free_bytes < look->evictions->limit_bytes)
        look->taken = viommu_copies_measure_overlays(directory);
}

static void look_done(void *data)
{
    Look *look = data;
    ViommuEvictions *evictions = look->evictions;

    evictions->looking = false;
    if (look->taken) {
        judge(evictions, look->free_bytes, look->taken);
        g_hash_table_unref(look->taken);
    } else if (look->seen) {
        if (evictions->full)
            resume_all(evictions);
        evictions->full = evictions->told = false;
    }
    g_free(look);
    viommu_evictions_watch(evictions);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuEvictions *evictions = userdata;
    Look *look = g_new0(Look, 1);

    evictions->timer = sd_event_source_disable_unref(evictions->timer);
    evictions->looking = true;
    look->evictions = evictions;
    viommu_worker_run(evictions->context.workers.host, VIOMMU_WORKER_NOBODY, look_work, look_done, look);
    return 0;
}

static bool has_overlays(const ViommuEvictions *evictions)
{
    ViommuCopiesSize all, unused;

    viommu_ledger_sum(evictions->context.ledger, 0, 0, &all, &unused);
    return all.overlay_bytes > 0;
}

void viommu_evictions_watch(ViommuEvictions *evictions)
{
    if (evictions->limit_bytes == 0 || evictions->looking || evictions->timer || !has_overlays(evictions))
        return;
    if (sd_event_add_time_relative(viommu_loop_event(evictions->context.loop), &evictions->timer,
                                   CLOCK_MONOTONIC, LOOK_USEC, 0, on_timer, evictions) < 0)
        viommu_log(LOG_ERR, NULL, "Cannot set the timer of the overlays' file system");
}
