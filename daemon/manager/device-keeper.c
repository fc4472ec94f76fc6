/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-keeper: at most one change for each machine. */
#include "daemon/manager/device-keeper.h"

#include <string.h>
#include <time.h>

#include "daemon/jobs/take-back.h"
#include "daemon/machines/job.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"
#include "lib/domain/plug.h"

/* While a detach waits, it looks whether the machine is still there. */
#define TICK_USEC G_USEC_PER_SEC

struct ViommuDeviceKeeper {
    ViommuDeviceKeeperContext context;
    GHashTable *changes; /* uuid -> Change, owned */
    GHashTable *seen;    /* set of uuid: looked at since libvirt is connected */
};

/* An attach, a detach, or a look at what the guest has. */
typedef struct Change {
    ViommuDeviceKeeper *keeper;
    char *uuid, *name;
    uint32_t owner_uid;
    ViommuWaiter waiter;  /* func NULL: nobody waits */
    ViommuAttach *attach; /* under way; NULL: another change */
    char *id;             /* to be detached; NULL: another change */
    char *taken;          /* the host's driver that gets it back, as in the metadata; NULL: none */
    bool asked;           /* the guest was asked to give it back */
    bool removed;         /* the guest has given it back */
    bool again;           /* something else was given back meanwhile */
    unsigned ticks;
    sd_event_source *timer;
    /* For a worker: the record to be written, and what the guest has; NULL: not known. */
    char *record, *strays;
    char **has;
    GError *error;
} Change;

static void free_change(void *data)
{
    Change *change = data;

    sd_event_source_disable_unref(change->timer);
    viommu_attach_free(change->attach);
    g_free(change->uuid);
    g_free(change->name);
    g_free(change->id);
    g_free(change->taken);
    g_free(change->record);
    g_free(change->strays);
    g_strfreev(change->has);
    g_clear_error(&change->error);
    g_free(change);
}

ViommuDeviceKeeper *viommu_device_keeper_new(const ViommuDeviceKeeperContext *context)
{
    ViommuDeviceKeeper *keeper = g_new0(ViommuDeviceKeeper, 1);

    keeper->context = *context;
    keeper->changes = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, free_change);
    keeper->seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return keeper;
}

void viommu_device_keeper_free(ViommuDeviceKeeper *keeper)
{
    if (!keeper)
        return;
    g_hash_table_unref(keeper->changes);
    g_hash_table_unref(keeper->seen);
    g_free(keeper);
}

static ViommuRegistry *registry_of(const Change *change)
{
    return change->keeper->context.attach.registry;
}

static ViommuMachine *find(const Change *change)
{
    return viommu_registry_by_uuid(registry_of(change), change->uuid);
}

static void run(Change *change, ViommuWorkFunc work, ViommuDoneFunc done)
{
    viommu_worker_run(change->keeper->context.attach.calls, change->owner_uid, work, done, change);
}

static Change *begin(ViommuDeviceKeeper *keeper, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    Change *change = g_new0(Change, 1);

    change->keeper = keeper;
    change->uuid = g_strdup(machine->uuid);
    change->name = g_strdup(machine->name);
    change->owner_uid = machine->owner_uid;
    if (waiter)
        change->waiter = *waiter;
    g_hash_table_insert(keeper->changes, change->uuid, change);
    return change;
}

static void look(ViommuDeviceKeeper *keeper, const ViommuMachine *machine);

/* Frees @change before its caller is answered, so that the next change may begin. */
static void end(Change *change, const ViommuOutcome *outcome)
{
    ViommuDeviceKeeper *keeper = change->keeper;
    const ViommuMachine *machine = change->again ? find(change) : NULL;

    g_hash_table_steal(keeper->changes, change->uuid);
    if (machine)
        look(keeper, machine);
    if (change->waiter.func)
        viommu_waiter_answer(&change->waiter, outcome);
    free_change(change);
}

static void end_with(Change *change, const GError *error)
{
    end(change, &(ViommuOutcome){.error = error});
}

static void tell(const Change *change, const char *what, const char *id)
{
    if (viommu_journal_may_tell(change->owner_uid))
        viommu_log(LOG_INFO, NULL, "%s device '%s' of machine '%s'", what, id, change->name);
}

/* --- What both need --- */

static bool check_runs(const ViommuMachine *machine, GError **error)
{
    if (!viommu_machine_check_known(machine, error))
        return false;
    if (machine->state == VIOMMU_STATE_RUNNING && !viommu_machine_is_busy(machine))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "machine '%s' is %s; devices can be attached and detached while a machine runs",
                       machine->name, viommu_machine_state_word(machine));
}

static bool check_free(const ViommuDeviceKeeper *keeper, const ViommuMachine *machine, GError **error)
{
    if (!g_hash_table_contains(keeper->changes, machine->uuid))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "another device of machine '%s' is being attached or detached; try again",
                       machine->name);
}

/* --- Looking at what the guest has --- */

/* The record is written first, even if it is the same: libvirt writes it when what an earlier
 * viommud has asked for is done. */
static void work_look(void *data)
{
    Change *change = data;
    ViommuBackend *backend = change->keeper->context.attach.backend;
    g_autofree char *xml = NULL;
    g_auto(ViommuPlugRoom) room = {0};

    if (!viommu_backend_set_attached(backend, change->uuid, change->record, &change->error))
        return;
    xml = viommu_backend_get_xml(backend, change->uuid, &change->error);
    if (xml && viommu_plug_room_read(xml, &room, &change->error))
        change->has = g_steal_pointer(&room.ids);
}

static void begin_look(Change *change, const ViommuMachine *machine);

/* Whether the machine had a device that the guest does not have. */
static bool forget_lost(const Change *change, ViommuMachine *machine)
{
    bool lost = false;

    for (guint i = machine->attached ? machine->attached->len : 0; i > 0; i--) {
        const ViommuAttached *attached = g_ptr_array_index(machine->attached, i - 1);
        g_autofree char *id = g_strdup(attached->id);

        if (g_strv_contains((const char *const *)change->has, id))
            continue;
        viommu_registry_detach(registry_of(change), machine, id);
        tell(change, "Lost", id);
        lost = true;
    }
    return lost;
}

static void done_look(void *data)
{
    Change *change = data;
    ViommuMachine *machine = find(change);

    if (machine && machine->state == VIOMMU_STATE_RUNNING && change->has && forget_lost(change, machine))
        begin_look(change, machine);
    else
        end_with(change, change->error);
}

static void begin_look(Change *change, const ViommuMachine *machine)
{
    g_free(change->record);
    change->record = viommu_attached_to_xml(machine->attached);
    g_clear_pointer(&change->has, g_strfreev);
    run(change, work_look, done_look);
}

static void look(ViommuDeviceKeeper *keeper, const ViommuMachine *machine)
{
    if (machine->state == VIOMMU_STATE_RUNNING && !machine->foreign)
        begin_look(begin(keeper, machine, NULL), machine);
}

void viommu_device_keeper_doubt(ViommuDeviceKeeper *keeper)
{
    g_hash_table_remove_all(keeper->seen);
}

void viommu_device_keeper_look(ViommuDeviceKeeper *keeper)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(keeper->context.attach.registry);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (machine->attached && machine->attached->len > 0 && machine->state == VIOMMU_STATE_RUNNING &&
            !g_hash_table_contains(keeper->changes, machine->uuid) &&
            g_hash_table_add(keeper->seen, g_strdup(machine->uuid)))
            look(keeper, machine);
}

/* --- Attaching --- */

static void on_attached(ViommuAttach *attach, const GError *error, void *userdata)
{
    Change *change = userdata;
    g_autofree char *id = g_strdup(viommu_attach_id(attach));
    const ViommuOutcome outcome = {
        .error = error, .reasons = viommu_attach_reasons(attach), .id = error ? NULL : id};

    change->again = change->again || viommu_attach_is_unknown(attach);
    if (!error)
        tell(change, "Attached", id);
    end(change, &outcome);
}

void viommu_device_keeper_attach(ViommuDeviceKeeper *keeper, const ViommuMachine *machine,
                                 const ViommuAttachOrder *order, const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (check_runs(machine, &error) && check_free(keeper, machine, &error)) {
        Change *change = begin(keeper, machine, waiter);

        change->attach = viommu_attach_new(&keeper->context.attach, machine, order, on_attached, change);
        return;
    }
    if (order->fds)
        g_array_unref(order->fds);
    viommu_waiter_fail(waiter, error);
}

/* --- Detaching --- */

static void work_forget(void *data)
{
    Change *change = data;
    ViommuBackend *backend = change->keeper->context.attach.backend;

    viommu_backend_set_attached(backend, change->uuid, change->record, &change->error);
    change->strays = viommu_take_back_look(backend, change->taken);
}

static void done_forget(void *data)
{
    Change *change = data;
    const ViommuJournalSubject subject = {change->name, change->uuid, &change->owner_uid};

    if (change->strays)
        viommu_journal_not_given_back(&subject, change->strays);
    tell(change, "Detached", change->id);
    end_with(change, change->error);
}

/* The guest has given the device back, and libvirt has told so, or was told so. */
static void forget(Change *change)
{
    ViommuMachine *machine = find(change);

    change->timer = sd_event_source_disable_unref(change->timer);
    if (!machine) {
        end_with(change, NULL);
        return;
    }
    viommu_registry_detach(registry_of(change), machine, change->id);
    change->record = viommu_attached_to_xml(machine->attached);
    run(change, work_forget, done_forget);
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    Change *change = userdata;
    const ViommuMachine *machine = find(change);
    g_autoptr(GError) error = NULL;

    if (machine && machine->state == VIOMMU_STATE_RUNNING &&
        ++change->ticks < change->keeper->context.detach_sec) {
        if (sd_event_source_set_time_relative(source, TICK_USEC) >= 0 &&
            sd_event_source_set_enabled(source, SD_EVENT_ONESHOT) >= 0)
            return 0;
    }
    if (!machine || machine->state != VIOMMU_STATE_RUNNING)
        viommu_fail(&error, VIOMMU_ERROR_BUSY, "machine '%s' ended before device '%s' was detached",
                    change->name, change->id);
    else
        viommu_fail(
            &error, VIOMMU_ERROR_BUSY,
            "the guest of machine '%s' has not given back device '%s' within %u seconds, and still has it%s%s; its kernel must run and know hotplug of PCI Express; try again, or stop the machine",
            change->name, change->id, change->keeper->context.detach_sec,
            machine->pause == VIOMMU_PAUSE_NONE ? "" : ": ", viommu_pause_words(machine->pause));
    end_with(change, error);
    return 0;
}

static void work_detach(void *data)
{
    Change *change = data;
    g_autofree char *alias = g_strconcat(VIOMMU_ATTACHED_ALIAS, change->id, NULL);
    bool gone = false;

    viommu_backend_detach(change->keeper->context.attach.backend, change->uuid, alias, &gone, &change->error);
    change->asked = !gone;
}

static void done_detach(void *data)
{
    Change *change = data;

    if (change->removed || (!change->error && !change->asked)) {
        g_clear_error(&change->error);
        forget(change);
    } else if (change->error ||
               sd_event_add_time_relative(viommu_loop_event(change->keeper->context.loop), &change->timer,
                                          CLOCK_MONOTONIC, TICK_USEC, 0, on_tick, change) < 0) {
        end_with(change, change->error);
    }
}

static bool check_attached(const ViommuMachine *machine, const char *id, const ViommuAttached **ret_attached,
                           GError **error)
{
    g_autoptr(GString) has = g_string_new(NULL);

    *ret_attached = viommu_attached_find(machine->attached, id);
    if (*ret_attached)
        return true;
    for (guint i = 0; machine->attached && i < machine->attached->len; i++)
        g_string_append_printf(has, "%s%s", i ? ", " : "",
                               ((const ViommuAttached *)g_ptr_array_index(machine->attached, i))->id);
    return viommu_fail(error, VIOMMU_ERROR_NOT_FOUND,
                       "machine '%s' has no attached device '%.64s'; it has: %s", machine->name, id,
                       has->len ? has->str : "none");
}

void viommu_device_keeper_detach(ViommuDeviceKeeper *keeper, ViommuMachine *machine, const char *id,
                                 const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;
    const ViommuAttached *attached;
    Change *change;

    if (!check_runs(machine, &error) || !check_attached(machine, id, &attached, &error) ||
        !check_free(keeper, machine, &error)) {
        viommu_waiter_fail(waiter, error);
        return;
    }
    change = begin(keeper, machine, waiter);
    change->id = g_strdup(attached->id);
    if (attached->host_driver)
        change->taken = g_strdup_printf("%s=%s", attached->what, attached->host_driver);
    run(change, work_detach, done_detach);
}

/* --- News --- */

static Change *detach_of(const ViommuDeviceKeeper *keeper, const ViommuMachine *machine, const char *id)
{
    Change *change = g_hash_table_lookup(keeper->changes, machine->uuid);

    return change && g_strcmp0(change->id, id) == 0 ? change : NULL;
}

void viommu_device_keeper_removed(ViommuDeviceKeeper *keeper, ViommuMachine *machine, const char *alias)
{
    const char *id = alias && g_str_has_prefix(alias, VIOMMU_ATTACHED_ALIAS)
                         ? alias + strlen(VIOMMU_ATTACHED_ALIAS)
                         : NULL;
    Change *detach = id ? detach_of(keeper, machine, id) : NULL, *other;

    if (!id || !viommu_attached_find(machine->attached, id))
        return;
    if (detach && !detach->removed) {
        detach->removed = true;
        if (detach->timer)
            forget(detach);
        return;
    }
    viommu_registry_detach(keeper->context.attach.registry, machine, id);
    other = g_hash_table_lookup(keeper->changes, machine->uuid);
    if (other)
        other->again = true;
    else
        look(keeper, machine);
}

void viommu_device_keeper_kept(ViommuDeviceKeeper *keeper, const ViommuMachine *machine, const char *alias)
{
    const char *id = alias && g_str_has_prefix(alias, VIOMMU_ATTACHED_ALIAS)
                         ? alias + strlen(VIOMMU_ATTACHED_ALIAS)
                         : NULL;
    Change *detach = id ? detach_of(keeper, machine, id) : NULL;
    g_autoptr(GError) error = NULL;

    if (!detach || !detach->timer)
        return;
    viommu_fail(
        &error, VIOMMU_ERROR_BUSY,
        "the guest of machine '%s' refuses to give back device '%s', and still has it; try again when the guest does not use it",
        detach->name, detach->id);
    end_with(detach, error);
}

void viommu_device_keeper_fail_all(ViommuDeviceKeeper *keeper, const GError *error)
{
    GHashTableIter iter;
    void *value;

    g_hash_table_iter_init(&iter, keeper->changes);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        Change *change = value;
        const ViommuWaiter waiter = change->waiter;

        change->waiter.func = NULL;
        if (waiter.func)
            viommu_waiter_fail(&waiter, error);
    }
}
