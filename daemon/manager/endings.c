/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* endings: ends machines by stops and leases, and extends leases.  Sees no bus message. */
#include "daemon/manager/internal.h"

#include "daemon/process/boottime.h"
#include "daemon/jobs/launch.h"
#include "daemon/jobs/lease-write.h"
#include "daemon/jobs/stop.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/journal.h"
#include "daemon/machines/lease-rules.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"

/* --- Stop --- */

static void on_stop(ViommuStop *stop, const GError *error, void *userdata)
{
    ViommuManager *manager = userdata;
    ViommuMachine *machine = viommu_registry_by_uuid(manager->registry, viommu_stop_uuid(stop));
    g_autoptr(ViommuJob) job = viommu_machine_end_job(machine);
    ViommuLogFields fields = {.machine_name = machine->name, .machine_uuid = machine->uuid};
    const ViommuJournalSubject subject = {machine->name, machine->uuid, &machine->owner_uid};
    ViommuOutcome outcome = {.error = error};

    if (viommu_stop_strays(stop))
        viommu_journal_not_given_back(&subject, viommu_stop_strays(stop));
    if (error && viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, machine->owner_uid))
        viommu_log_error(LOG_WARNING, &fields, error, "stop");
    else if (!error)
        viommu_log(LOG_INFO, &fields, "Stopped machine '%s'", machine->name);
    if (!error)
        viommu_ledger_drop(manager->ledger, machine->uuid);
    if (!error && job->ending.expired)
        viommu_registry_feed(manager->registry, machine, VIOMMU_EVENT_REAPED);
    else
        viommu_registry_feed(manager->registry, machine,
                             error ? VIOMMU_EVENT_STOP_FAILED : VIOMMU_EVENT_REMOVED);
    if (error) {
        /* The machine probably still runs; libvirt is asked now, or when it is back. */
        if (job->ending.was_running)
            viommu_registry_feed(manager->registry, machine, VIOMMU_EVENT_STARTED);
        if (manager->connected)
            viommu_settle_run(manager->settle, viommu_manager_settled, manager);
    }
    viommu_job_answer(job, &outcome);
    viommu_manager_check_end(manager);
}

/* Begins the stop that is the job of @machine. */
static void begin_stop(ViommuManager *manager, const ViommuMachine *machine)
{
    const ViommuEnding *ending = &machine->job->ending;
    ViommuStopContext context = {manager->context.loop, manager->context.backend,
                                 manager->context.workers.ends, manager->context.workers.calls,
                                 manager->context.files->copies};

    viommu_job_set_work(
        machine->job,
        viommu_stop_new(&context, machine, ending->was_running ? ending->seconds : 0, on_stop, manager),
        (GDestroyNotify)viommu_stop_free);
}

/* A launch in the queue has not begun, so there is nothing to undo.  The machine may be gone
 * afterwards. */
static void cancel_launch(const ViommuMachine *machine, ViommuLaunch *launch)
{
    g_autoptr(GError) error = NULL;

    if (!machine->job->queue) {
        viommu_launch_cancel(launch);
        return;
    }
    viommu_fail(&error, VIOMMU_ERROR_BUSY, "machine '%s' was stopped while it waited to be launched",
                machine->name);
    viommu_launch_abandon(launch, error);
}

/* Advances the stop of @machine, which is its job or follows its job.  @first: the stop is new.
 * The machine may be gone afterwards. */
static void press_stop(ViommuManager *manager, ViommuMachine *machine, bool first, uint32_t seconds)
{
    ViommuLaunch *launch = viommu_job_work(machine->job, VIOMMU_JOB_LAUNCH);
    ViommuStop *stop = viommu_job_work(machine->job, VIOMMU_JOB_STOP);

    if (launch)
        cancel_launch(machine, launch);
    else if (stop && seconds == 0)
        viommu_stop_hurry(stop);
    else if (first && machine->job->kind == VIOMMU_JOB_STOP)
        begin_stop(manager, machine);
}

/* @waiter NULL: no caller asked for the end.  The machine may be gone afterwards. */
static void end_machine(ViommuManager *manager, ViommuMachine *machine, uint32_t seconds,
                        const ViommuWaiter *waiter)
{
    bool first = !viommu_job_stop(machine->job);
    /* A paused guest cannot power off. */
    const ViommuEnding ending = {machine->pause == VIOMMU_PAUSE_NONE ? seconds : 0, !waiter,
                                 machine->state == VIOMMU_STATE_RUNNING};
    ViommuOutcome outcome = {.error = NULL};

    if (first && viommu_registry_feed(manager->registry, machine,
                                      waiter ? VIOMMU_EVENT_STOP_REQUESTED : VIOMMU_EVENT_EXPIRED)) {
        if (waiter)
            viommu_waiter_answer(waiter, &outcome);
        return;
    }
    if (first)
        viommu_machine_add_job(machine, viommu_job_new_stop(&ending));
    else
        viommu_job_shorten(viommu_job_stop(machine->job), seconds);
    if (waiter)
        viommu_waiters_add(viommu_job_stop(machine->job)->waiters, waiter);
    press_stop(manager, machine, first, seconds);
}

void viommu_manager_stop(ViommuManager *manager, ViommuMachine *machine, uint32_t seconds,
                         const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (viommu_manager_check_not_ending(manager, &error))
        end_machine(manager, machine, seconds, waiter);
    else
        viommu_waiter_fail(waiter, error);
}

void viommu_manager_hurry(ViommuMachine *machine, void *userdata)
{
    if (viommu_job_stop(machine->job))
        end_machine(userdata, machine, 0, NULL);
}

/* --- Leases --- */

/* A daemon that ends leaves this to the next one.  A second call for a machine that is ending
 * already changes nothing. */
static void reap(ViommuManager *manager, ViommuMachine *machine, const char *why)
{
    if (manager->ended)
        return;
    if (machine->state != VIOMMU_STATE_STOPPING)
        viommu_journal_lease_ended(machine, why);
    end_machine(manager, machine, (uint32_t)manager->context.config->grace_seconds, NULL);
}

void viommu_manager_lease_ended(ViommuMachine *machine, void *userdata)
{
    reap(userdata, machine, "its lease has ended");
}

static void reap_of_client(ViommuManager *manager, const char *uuid)
{
    ViommuMachine *machine = viommu_registry_by_uuid(manager->registry, uuid);

    if (!machine || machine->state == VIOMMU_STATE_STOPPING)
        return;
    /* If libvirt fails now, the removal is tried again, as after the end of any lease. */
    viommu_leases_end(manager->leases, machine);
    reap(manager, machine, "the client that it was bound to has left the bus");
}

void viommu_manager_client_gone(ViommuManager *manager, const char *client)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(manager->registry);
    g_autoptr(GPtrArray) bound = g_ptr_array_new_with_free_func(g_free);

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (g_strcmp0(machine->client, client) == 0)
            g_ptr_array_add(bound, g_strdup(machine->uuid));
    /* By UUID, because the end of one machine may remove another. */
    for (guint i = 0; i < bound->len; i++)
        reap_of_client(manager, bound->pdata[i]);
}

static void begin_extension(ViommuManager *manager, const ViommuMachine *machine);

/* If a later call has moved the end meanwhile, writes that end, too, unless the machine is being
 * removed. */
static void on_extended(ViommuExtension *extension, const GError *error, void *userdata)
{
    ViommuManager *manager = userdata;
    ViommuMachine *machine = viommu_registry_by_uuid(manager->registry, viommu_extension_uuid(extension));
    ViommuOutcome outcome = {.error = error, .machine = machine};
    g_autoptr(ViommuJob) job = NULL;

    if (!error && !machine->job->next && viommu_extension_end(extension) != machine->lease_end_usec) {
        begin_extension(manager, machine);
        return;
    }
    job = viommu_machine_end_job(machine);
    if (machine->job)
        begin_stop(manager, machine);
    viommu_job_answer(job, &outcome);
    viommu_manager_check_end(manager);
}

static void begin_extension(ViommuManager *manager, const ViommuMachine *machine)
{
    viommu_job_set_work(machine->job,
                        viommu_extension_new(manager->context.backend, manager->context.workers.ends, machine,
                                             on_extended, manager),
                        (GDestroyNotify)viommu_extension_free);
}

static bool check_extension(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                            GError **error)
{
    if (!viommu_manager_check_not_ending(manager, error) || !viommu_machine_check_known(machine, error))
        return false;
    if (seconds == 0 || seconds > VIOMMU_LEASE_SECONDS_MAX)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "a lease cannot end in %" G_GUINT64_FORMAT " seconds; use 1 to %u", seconds,
                    VIOMMU_LEASE_SECONDS_MAX);
    else if (viommu_machine_is_busy(machine))
        viommu_fail(error, VIOMMU_ERROR_BUSY, "machine '%s' is %s; extend its lease while it runs",
                    machine->name, viommu_enum_to_string(&viommu_enum_state, (int)machine->state));
    else if (machine->lease_end_usec == 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "machine '%s' has no lease; it stays until it is stopped", machine->name);
    else
        return true;
    return false;
}

void viommu_manager_extend(ViommuManager *manager, ViommuMachine *machine, uint64_t seconds, bool bound,
                           const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (!check_extension(manager, machine, seconds, &error) ||
        (bound && !viommu_lease_check(manager->context.config, seconds, &error))) {
        viommu_waiter_fail(waiter, error);
        return;
    }
    viommu_registry_extend(manager->registry, machine,
                           MAX(machine->lease_end_usec, viommu_boottime_now() + seconds * G_USEC_PER_SEC));
    if (!machine->job) {
        viommu_machine_add_job(machine, viommu_job_new(VIOMMU_JOB_LEASE));
        begin_extension(manager, machine);
    }
    viommu_waiters_add(machine->job->waiters, waiter);
}
