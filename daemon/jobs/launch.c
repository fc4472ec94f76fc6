/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: takes a launch from step to step, or undoes it.  Does not know the work of the steps, nor
 * the client. */
#include "daemon/jobs/launch-internal.h"

#include <time.h>
#include "daemon/jobs/domain-remove.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/fault.h"
#include "daemon/process/journal.h"
#include "daemon/process/tally.h"
#include "lib/base/error.h"

/* How long a launch that was given up waits for its undo, and how long a cancelled launch waits for
 * its present step. */
#define UNDO_TIMEOUT_SEC   10u
#define CANCEL_TIMEOUT_SEC 5u

static void clear_veto(void *data)
{
    g_free((char *)((ViommuVeto *)data)->text);
}

ViommuLaunch *viommu_launch_new(const ViommuLaunchContext *context, ViommuRequest *request,
                                const ViommuLaunchIdentity *identity, ViommuLaunchFunc func, void *userdata)
{
    ViommuLaunch *launch = g_new0(ViommuLaunch, 1);

    launch->context = *context;
    launch->func = func;
    launch->userdata = userdata;
    launch->request = request;
    launch->name = g_strdup(identity->name);
    launch->uuid = g_strdup(identity->uuid);
    launch->owner_uid = identity->asker.uid;
    g_snprintf(launch->uid_text, sizeof(launch->uid_text), "%u", launch->owner_uid);
    viommu_permit_init(&launch->permit, &identity->asker);
    launch->created_usec = identity->created_usec;
    launch->client = g_strdup(identity->client);
    launch->lease = *identity->lease;
    launch->lease.note = g_strdup(identity->lease->note);
    launch->vetoes = g_array_new(FALSE, FALSE, sizeof(ViommuVeto));
    g_array_set_clear_func(launch->vetoes, clear_veto);
    return launch;
}

void viommu_launch_clear_plan(ViommuLaunch *launch)
{
    g_clear_pointer(&launch->plan, viommu_plan_free);
    g_clear_pointer(&launch->metadata, viommu_metadata_free);
    g_clear_pointer(&launch->xml, g_free);
}

static void free_now(ViommuLaunch *launch)
{
    viommu_launch_clear_plan(launch);
    sd_event_source_disable_unref(launch->deadline);
    viommu_reader_free(launch->reader);
    g_clear_pointer(&launch->holders, g_ptr_array_unref);
    viommu_permit_clear(&launch->permit);
    viommu_request_free(launch->request);
    g_free(launch->name);
    g_free(launch->uuid);
    g_free(launch->client);
    viommu_lease_clear(&launch->lease);
    g_free(launch->late_warning);
    viommu_reach_clear(&launch->reach);
    g_array_unref(launch->vetoes);
    g_clear_error(&launch->step_error);
    g_clear_error(&launch->error);
    g_clear_pointer(&launch->reasons, g_ptr_array_unref);
    g_free(launch);
}

void viommu_launch_free(ViommuLaunch *launch)
{
    if (!launch)
        return;
    launch->released = true;
    if (!launch->held && !launch->task && !launch->asking && !launch->undoing)
        free_now(launch);
}

static void tell(ViommuLaunch *launch, ViommuEvent event)
{
    launch->func(launch, event, launch->userdata);
}

ViommuLogFields viommu_launch_log_fields(const ViommuLaunch *launch)
{
    return (ViommuLogFields){
        .machine_name = launch->name, .machine_uuid = launch->uuid, .owner_uid = launch->uid_text};
}

/* --- The end of a failed launch --- */

static void tell_failed(ViommuLaunch *launch, bool left)
{
    if (launch->told)
        return;
    launch->told = true;
    launch->left = left;
    launch->deadline = sd_event_source_disable_unref(launch->deadline);
    tell(launch, VIOMMU_EVENT_LAUNCH_FAILED);
}

static void on_undone(const GError *error, const char *strays, void *userdata);

/* Runs beside a step that hangs and still uses the launch, so it works on values of its own. */
static void begin_undo(ViommuLaunch *launch)
{
    launch->undoing = true;
    launch->undone = !launch->task && !launch->asking;
    viommu_removal_begin(launch->context.ends, launch->context.backend, launch->context.files->copies,
                         &(ViommuRemovalOf){launch->uuid, launch->owner_uid, on_undone, launch});
}

/* Does what comes next in a launch that fails, each time a part of it has ended.  A step that hangs
 * may still make something, so the launch is undone again when the step returns, even hours
 * later. */
static void wind_up(ViommuLaunch *launch, bool left)
{
    bool under_way = launch->task || launch->asking;

    if (launch->undoing)
        return;
    if (!under_way && !launch->undone) {
        begin_undo(launch);
        return;
    }
    launch->held++;
    tell_failed(launch, left || under_way);
    if (!under_way && launch->hung)
        launch->context.came_back(launch->uuid, launch->owner_uid, !left, launch->userdata);
    launch->held--;
    if (launch->released && !under_way)
        free_now(launch);
}

/* Tells the caller of the launch, and the site's journal. */
static void tell_strays(ViommuLaunch *launch, const char *strays)
{
    const ViommuJournalSubject subject = {launch->name, launch->uuid, &launch->owner_uid};
    GError *whole =
        g_error_new(launch->error->domain, launch->error->code, "%s; %s", launch->error->message, strays);

    g_clear_error(&launch->error);
    launch->error = whole;
    viommu_journal_not_given_back(&subject, strays);
}

/* After a failed undo the domain remains, with the launch's phase in its metadata; it is removed
 * when libvirt is back. */
static void on_undone(const GError *error, const char *strays, void *userdata)
{
    ViommuLaunch *launch = userdata;
    const ViommuLogFields fields = viommu_launch_log_fields(launch);

    if (strays)
        tell_strays(launch, strays);
    if (error && viommu_journal_may_tell_of(VIOMMU_FLOW_TROUBLE, launch->owner_uid))
        viommu_log_error(LOG_ERR, &fields, error, "undoing a failed launch");
    launch->undoing = false;
    wind_up(launch, error);
}

static void fail(ViommuLaunch *launch)
{
    launch->failing = true;
    wind_up(launch, false);
}

/* Fails a launch of which libvirt has nothing yet. */
static void fail_early(ViommuLaunch *launch)
{
    launch->undone = true;
    fail(launch);
}

static GError *stopped(const ViommuLaunch *launch)
{
    return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                       "machine '%s' was stopped while it was being launched", launch->name);
}

/* Fails the launch if its last step failed, or if it was cancelled. */
static bool step_failed(ViommuLaunch *launch)
{
    if (!launch->step_error && launch->cancelled)
        launch->step_error = stopped(launch);
    if (!launch->step_error)
        return false;
    launch->error = g_steal_pointer(&launch->step_error);
    return true;
}

/* --- The deadline --- */

static void set_deadline(ViommuLaunch *launch, unsigned seconds);

/* Undoes the launch at once, even if the step never returns: libvirt kills a QEMU that hangs in its
 * start. */
static void give_up(ViommuLaunch *launch)
{
    const ViommuLogFields fields = viommu_launch_log_fields(launch);

    if (launch->cancelled)
        launch->error = stopped(launch);
    else
        viommu_fail(&launch->error, VIOMMU_ERROR_BUSY,
                    "machine '%s' was not launched within %u s ([daemon] launch-timeout); viommud waited %s",
                    launch->name, launch->context.timeout_sec, viommu_launch_steps[launch->step].waits);
    if (viommu_journal_may_tell(launch->owner_uid))
        viommu_log(LOG_WARNING, &fields, "The launch of machine '%s' timed out; viommud still waits %s",
                   launch->name, viommu_launch_steps[launch->step].waits);
    launch->hung = true;
    g_atomic_int_set(&launch->given_up, 1);
    if (launch->task)
        viommu_worker_abandon(launch->task);
    viommu_admission_hang(launch->context.admission, launch->owner_uid);
    launch->failing = true;
    set_deadline(launch, UNDO_TIMEOUT_SEC);
    begin_undo(launch);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuLaunch *launch = userdata;

    if (!launch->failing)
        give_up(launch);
    else
        tell_failed(launch, true);
    return 0;
}

static void set_deadline(ViommuLaunch *launch, unsigned seconds)
{
    sd_event_source_disable_unref(launch->deadline);
    launch->deadline = NULL;
    if (sd_event_add_time_relative(viommu_loop_event(launch->context.loop), &launch->deadline,
                                   CLOCK_MONOTONIC, seconds * G_USEC_PER_SEC, 0, on_deadline, launch) < 0)
        viommu_log(LOG_WARNING, NULL,
                   "The launch of machine '%s' has no timeout, because viommud cannot set a timer",
                   launch->name);
}

/* --- From step to step --- */

static void enter(ViommuLaunch *launch, ViommuLaunchStep step);

/* The only place where a launch goes on, succeeds or fails.  The next step is already under way
 * while the event is told, and does not change what the receiver reads.  The receiver of the last
 * event may free the launch. */
static void advance(ViommuLaunch *launch)
{
    const ViommuLaunchStepInfo *step = &viommu_launch_steps[launch->step];

    launch->next = step->next;
    if (step->settle)
        step->settle(launch);
    viommu_tally_time(VIOMMU_TALLY_STEPS, step->name, g_get_monotonic_time() - launch->step_usec);
    if (step_failed(launch)) {
        launch->undone = !step->undo;
        fail(launch);
        return;
    }
    if (launch->next != step->next) {
        enter(launch, launch->next);
        return;
    }
    if (step->next == VIOMMU_LAUNCH_LAST)
        launch->deadline = sd_event_source_disable_unref(launch->deadline);
    else
        enter(launch, step->next);
    if (step->event != VIOMMU_EVENT_LAST)
        tell(launch, step->event);
}

static void ended(ViommuLaunch *launch)
{
    if (launch->failing)
        wind_up(launch, false);
    else
        advance(launch);
}

static void done_step(void *data)
{
    ViommuLaunch *launch = data;

    launch->task = NULL;
    ended(launch);
}

void viommu_launch_answered(ViommuLaunch *launch)
{
    launch->asking = false;
    ended(launch);
}

/* A step that waited for a thread until the launch was given up does nothing. */
static void work_step(void *data)
{
    ViommuLaunch *launch = data;

    if (!g_atomic_int_get(&launch->given_up))
        viommu_launch_steps[launch->step].work(launch);
}

static void enter(ViommuLaunch *launch, ViommuLaunchStep step)
{
    const ViommuLaunchStepInfo *info = &viommu_launch_steps[step];

    launch->step = step;
    launch->step_usec = g_get_monotonic_time();
    if (info->work) {
        launch->task =
            viommu_worker_run(launch->context.launches, launch->owner_uid, work_step, done_step, launch);
    } else if (info->ask) {
        launch->asking = true;
        info->ask(launch);
    } else {
        advance(launch);
    }
}

void viommu_launch_abandon(ViommuLaunch *launch, const GError *error)
{
    launch->error = g_error_copy(error);
    fail_early(launch);
}

void viommu_launch_begin(ViommuLaunch *launch)
{
    const ViommuFilesMachine machine = {launch->owner_uid, launch->uuid, launch->name};

    VIOMMU_FAULT(launch_begins);
    viommu_lease_begin(&launch->lease);
    if (viommu_reader_new(launch->context.readers, launch->context.files, launch->request, &machine,
                          &launch->reader, &launch->error)) {
        set_deadline(launch, launch->context.timeout_sec);
        enter(launch, VIOMMU_LAUNCH_OPEN);
    } else {
        fail_early(launch);
    }
}

void viommu_launch_cancel(ViommuLaunch *launch)
{
    /* A repeated call does not move the deadline. */
    if (!launch->failing && !launch->cancelled)
        set_deadline(launch, MIN(CANCEL_TIMEOUT_SEC, launch->context.timeout_sec));
    launch->cancelled = true;
}

const char *viommu_launch_uuid(const ViommuLaunch *launch)
{
    return launch->uuid;
}

const ViommuRequest *viommu_launch_request(const ViommuLaunch *launch)
{
    return launch->request;
}

const ViommuMetadata *viommu_launch_metadata(const ViommuLaunch *launch)
{
    return launch->metadata;
}

const char *viommu_launch_late_warning(const ViommuLaunch *launch)
{
    return launch->late_warning;
}

ViommuReach *viommu_launch_reach(ViommuLaunch *launch)
{
    return &launch->reach;
}

bool viommu_launch_left_something(const ViommuLaunch *launch)
{
    return launch->left;
}

const GError *viommu_launch_error(const ViommuLaunch *launch)
{
    return launch->error;
}

const GPtrArray *viommu_launch_reasons(const ViommuLaunch *launch)
{
    return launch->reasons;
}
