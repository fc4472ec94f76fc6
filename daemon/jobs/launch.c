/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: the steps and what follows on each.  Does not know who asked. */
#include "daemon/jobs/launch.h"

#include <time.h>
#include "daemon/process/fault.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/journal.h"
#include "daemon/jobs/locked-memory.h"
#include "daemon/process/log.h"
#include "daemon/jobs/permit.h"
#include "daemon/jobs/recheck.h"
#include "daemon/jobs/domain-remove.h"
#include "lib/domain/domain-xml.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"

/* An end is waited for so long, when a launch was given up; and so long a step that runs while somebody wants the machine gone. */
#define UNDO_PATIENCE_SEC   10u
#define CANCEL_PATIENCE_SEC 5u

typedef enum Step {
    STEP_OPEN,
    STEP_PROBE,
    STEP_DEFINE,
    STEP_PREPARE,
    STEP_START,
    STEP_MARK,
    STEP_LAST,
} Step;

struct ViommuLaunch {
    ViommuLaunchContext context;
    ViommuLaunchFunc func;
    void *userdata;
    ViommuRequest *request;
    char *name, *uuid;
    uint32_t owner_uid;
    char uid_text[16];
    ViommuPermit permit;
    uint64_t created_usec;
    ViommuLease lease;
    char *client;

    ViommuReader *reader;
    GPtrArray *holders; /* of ViommuHolder; NULL: no devices are asked for */
    GArray *vetoes;     /* of ViommuVeto, whose text is owned */
    ViommuPlan *plan;
    ViommuMetadata *metadata;
    char *xml;
    char *late_warning;

    GError *step_error; /* of the step that just ran */
    bool unsupported;   /* libvirt says that it cannot be */
    GError *error;      /* why it all ends */
    GPtrArray *reasons;
    int given_up; /* atomic */

    /* Loop thread only; the workers do not look at it: */
    sd_event_source *deadline;
    Step step;
    ViommuJob *job; /* of the step that is under way in a worker; NULL: none is */
    bool probing;   /* STEP_PROBE is under way */
    bool cancelled;
    bool failing;  /* it is undone, and nothing goes on but that */
    bool undoing;  /* in a worker */
    bool undone;   /* with no step under way: nothing comes after it */
    bool left;     /* what it made could not be removed */
    bool hung;     /* it was given up while a step was under way, and counts as such */
    bool told;     /* LAUNCH_FAILED */
    bool released; /* the receiver has freed it */
    unsigned held;
};

/* In the order of a launch; the table stands behind what is in it. */
typedef struct StepInfo {
    ViommuWorkFunc work; /* NULL: it is asked for on the loop */
    void (*done)(ViommuLaunch *launch);
    const char *waits; /* for what, as long as it is under way */
} StepInfo;
static const StepInfo steps[STEP_LAST];

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
    launch->lease = (ViommuLease){identity->lease->seconds, g_strdup(identity->lease->note), 0};
    launch->vetoes = g_array_new(FALSE, FALSE, sizeof(ViommuVeto));
    g_array_set_clear_func(launch->vetoes, clear_veto);
    return launch;
}

static void clear_plan(ViommuLaunch *launch)
{
    g_clear_pointer(&launch->plan, viommu_plan_free);
    g_clear_pointer(&launch->metadata, viommu_metadata_free);
    g_clear_pointer(&launch->xml, g_free);
}

static void free_now(ViommuLaunch *launch)
{
    clear_plan(launch);
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
    if (!launch->held && !launch->job && !launch->probing && !launch->undoing)
        free_now(launch);
}

static void tell(ViommuLaunch *launch, ViommuEvent event)
{
    launch->func(launch, event, launch->userdata);
}

static ViommuLogFields log_fields(const ViommuLaunch *launch)
{
    return (ViommuLogFields){
        .machine_name = launch->name, .machine_uuid = launch->uuid, .owner_uid = launch->uid_text};
}

/* --- The end of one that fails --- */

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

/* Beside a step that hangs, which has the launch in its hands. */
static void begin_undo(ViommuLaunch *launch)
{
    launch->undoing = true;
    launch->undone = !launch->job && !launch->probing;
    viommu_removal_begin(launch->context.ends, launch->context.backend, launch->context.files->copies,
                         &(ViommuRemovalOf){launch->uuid, launch->owner_uid, on_undone, launch});
}

/* What is to be done next, when it fails and something of it has ended.  A step that hangs may yet make something: so it is undone once
 * more when it has come back, be it hours later. */
static void wind_up(ViommuLaunch *launch, bool left)
{
    bool under_way = launch->job || launch->probing;

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

/* To whoever asked for the launch, and to the site. */
static void tell_strays(ViommuLaunch *launch, const char *strays)
{
    const ViommuJournalSubject subject = {launch->name, launch->uuid, &launch->owner_uid};
    GError *whole =
        g_error_new(launch->error->domain, launch->error->code, "%s; %s", launch->error->message, strays);

    g_clear_error(&launch->error);
    launch->error = whole;
    viommu_journal_not_given_back(&subject, strays);
}

/* An undo that fails leaves a domain whose metadata says how far it got: it is undone when libvirt is back. */
static void on_undone(const GError *error, const char *strays, void *userdata)
{
    ViommuLaunch *launch = userdata;
    const ViommuLogFields fields = log_fields(launch);

    if (strays)
        tell_strays(launch, strays);
    if (error && viommu_journal_may_tell(launch->owner_uid))
        viommu_log_error(LOG_ERR, &fields, error, "undoing a failed launch");
    launch->undoing = false;
    wind_up(launch, error);
}

static void fail(ViommuLaunch *launch)
{
    launch->failing = true;
    wind_up(launch, false);
}

/* Nothing of it is in libvirt yet. */
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

/* Fails the launch with what the last step said, if it failed, or because somebody wants it gone. */
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

/* Undone at once, whether or not the step ever comes back: libvirt kills a QEMU that hangs in its start. */
static void give_up(ViommuLaunch *launch)
{
    const ViommuLogFields fields = log_fields(launch);

    if (launch->cancelled)
        launch->error = stopped(launch);
    else
        g_set_error(
            &launch->error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
            "machine '%s' was not launched within %u s ('launch-timeout' in [daemon]); viommud waited %s",
            launch->name, launch->context.timeout_sec, steps[launch->step].waits);
    if (viommu_journal_may_tell(launch->owner_uid))
        viommu_log(LOG_WARNING, &fields, "The launch of machine '%s' is given up; viommud still waits %s",
                   launch->name, steps[launch->step].waits);
    launch->hung = true;
    g_atomic_int_set(&launch->given_up, 1);
    if (launch->job)
        viommu_worker_abandon(launch->job);
    viommu_admission_hang(launch->context.admission, launch->owner_uid);
    launch->failing = true;
    set_deadline(launch, UNDO_PATIENCE_SEC);
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
        viommu_log(LOG_WARNING, NULL, "Machine '%s' has no deadline, as no timer can be set", launch->name);
}

static void done_step(void *data)
{
    ViommuLaunch *launch = data;

    launch->job = NULL;
    if (!launch->failing)
        steps[launch->step].done(launch);
    else
        wind_up(launch, false);
}

/* What only waited for a thread until now makes nothing any more. */
static void work_step(void *data)
{
    ViommuLaunch *launch = data;

    if (!g_atomic_int_get(&launch->given_up))
        steps[launch->step].work(launch);
}

static void run_step(ViommuLaunch *launch, Step step)
{
    launch->step = step;
    launch->job =
        viommu_worker_run(launch->context.launches, launch->owner_uid, work_step, done_step, launch);
}

/* What the plan takes is known to the next one when this has been told of, before anything else is planned. */
static bool make_plan(ViommuLaunch *launch, const ViommuHost *host)
{
    g_autoptr(GArray) claims =
        viommu_admission_claims(launch->context.admission, launch->holders, launch->uuid);
    ViommuPlanInput input = {
        .request = launch->request,
        .host = host,
        .policy = launch->context.policy,
        .handovers = viommu_reader_handovers(launch->reader),
        .kernel = viommu_reader_kernel(launch->reader),
        .name = launch->name,
        .uuid = launch->uuid,
        .claims = (const ViommuClaim *)(void *)claims->data,
        .n_claims = claims->len,
        .asker = &launch->permit.asker,
        .forward_modes = launch->permit.forward_modes,
        .is_remote = launch->context.files->skip,
        .vetoes = (const ViommuVeto *)(void *)launch->vetoes->data,
        .n_vetoes = launch->vetoes->len,
    };

    clear_plan(launch);
    if (!viommu_plan_build(&input, &launch->plan, &launch->reasons, &launch->error) ||
        !viommu_admission_check_memory(launch->context.admission, launch->plan, host, &launch->error))
        return false;
    launch->metadata =
        viommu_metadata_new(launch->plan, launch->request, launch->owner_uid, launch->created_usec);
    launch->metadata->phase = VIOMMU_STATE_DEFINING;
    viommu_lease_write(&launch->lease, launch->metadata);
    launch->metadata->client = g_strdup(launch->client);
    launch->xml = viommu_domain_xml(launch->plan, launch->metadata);
    return true;
}

static void plan_and_define(const ViommuHost *host, const GError *error, void *userdata)
{
    ViommuLaunch *launch = userdata;

    launch->probing = false;
    if (launch->failing) {
        wind_up(launch, false);
        return;
    }
    if (!host)
        launch->step_error = g_error_copy(error);
    if (step_failed(launch) || !make_plan(launch, host)) {
        fail_early(launch);
        return;
    }
    VIOMMU_FAULT(planned);
    /* The step runs while the planned machine is told of; what is told is not touched by it. */
    run_step(launch, STEP_DEFINE);
    tell(launch, VIOMMU_EVENT_PLANNED);
}

void viommu_launch_abandon(ViommuLaunch *launch, const GError *error)
{
    launch->error = g_error_copy(error);
    fail_early(launch);
}

void viommu_launch_begin(ViommuLaunch *launch)
{
    VIOMMU_FAULT(launch_begins);
    viommu_lease_begin(&launch->lease);
    if (viommu_reader_new(launch->context.readers, launch->context.files, launch->request, launch->owner_uid,
                          launch->uuid, &launch->reader, &launch->error)) {
        set_deadline(launch, launch->context.timeout_sec);
        run_step(launch, STEP_OPEN);
    } else {
        fail_early(launch);
    }
}

void viommu_launch_cancel(ViommuLaunch *launch)
{
    launch->cancelled = true;
    if (!launch->failing)
        set_deadline(launch, MIN(CANCEL_PATIENCE_SEC, launch->context.timeout_sec));
}

static void work_open(void *data)
{
    ViommuLaunch *launch = data;

    if (viommu_permit_learn(&launch->permit, launch->context.backend, launch->context.policy->site,
                            launch->request, &launch->step_error) &&
        viommu_reader_open(launch->reader, &launch->step_error) && launch->request->hostdevs)
        launch->holders = viommu_backend_list_holders(launch->context.backend, &launch->step_error);
    VIOMMU_FAULT(after_open);
}

static void done_open(ViommuLaunch *launch)
{
    if (!launch->step_error)
        viommu_admission_take_copies(launch->context.admission, launch->uuid, launch->owner_uid,
                                     viommu_reader_copied_bytes(launch->reader), &launch->step_error);
    if (step_failed(launch)) {
        fail_early(launch);
        return;
    }
    launch->step = STEP_PROBE;
    launch->probing = true;
    viommu_hostinfo_refresh(launch->context.hostinfo, plan_and_define, launch);
}

static void work_define(void *data)
{
    ViommuLaunch *launch = data;

    launch->unsupported = false;
    VIOMMU_FAULT(before_define);
    viommu_backend_define(launch->context.backend, launch->xml, &launch->unsupported, &launch->step_error);
    VIOMMU_FAULT(after_define);
}

/* libvirt's word overrides our table: the model is out, and the planner is asked for the next candidate. */
static void plan_without_model(ViommuLaunch *launch)
{
    ViommuModel model = launch->plan->iommu.model;
    ViommuVeto veto = {.model = model, .text = g_utf8_make_valid(launch->step_error->message, -1)};
    const ViommuLogFields fields = log_fields(launch);

    if (viommu_journal_may_tell(launch->owner_uid))
        viommu_log(LOG_WARNING, &fields, "libvirt refuses IOMMU model '%s', which the table allows here: %s",
                   viommu_model_to_string(model), launch->step_error->message);
    g_clear_error(&launch->step_error);
    g_array_append_val(launch->vetoes, veto);
    plan_and_define(viommu_hostinfo_host(launch->context.hostinfo), NULL, launch);
}

static void done_define(ViommuLaunch *launch)
{
    bool veto = launch->step_error && launch->unsupported && !launch->cancelled &&
                launch->plan->iommu.model != VIOMMU_MODEL_NONE;

    if (veto) {
        plan_without_model(launch);
    } else if (step_failed(launch)) {
        /* Also when libvirt refused: an answer that was lost on the way may have been a yes. */
        fail(launch);
    } else {
        run_step(launch, STEP_PREPARE);
        tell(launch, VIOMMU_EVENT_DEFINED);
    }
}

/* After the domain stands, which is how a later daemon would find what was made. */
static void work_prepare(void *data)
{
    ViommuLaunch *launch = data;

    viommu_reader_copy(launch->reader, launch->plan->group, &launch->step_error);
    VIOMMU_FAULT(after_prepare);
}

static void done_prepare(ViommuLaunch *launch)
{
    if (step_failed(launch))
        fail(launch);
    else
        run_step(launch, STEP_START);
}

static void work_start(void *data)
{
    ViommuLaunch *launch = data;
    const ViommuRecheck recheck = {launch->context.backend, launch->context.policy->site, launch->request,
                                   &launch->plan->placement};
    g_autoptr(GArray) open = viommu_reader_open_files(launch->reader, launch->plan);

    VIOMMU_FAULT(before_start);
    if (viommu_recheck_run(&recheck, &launch->permit, &launch->step_error) &&
        viommu_backend_start(launch->context.backend, launch->uuid, open, launch->owner_uid,
                             &launch->step_error))
        launch->late_warning = viommu_locked_look(launch->context.backend, launch->plan, launch->uuid);
    viommu_reader_release(launch->reader);
    VIOMMU_FAULT(after_start);
}

static void note_warning(ViommuLaunch *launch)
{
    const ViommuLogFields fields = log_fields(launch);

    if (viommu_journal_may_tell(launch->owner_uid))
        viommu_log(LOG_WARNING, &fields, "machine '%s': %s", launch->name, launch->late_warning);
    viommu_metadata_add_warning(launch->metadata, launch->late_warning);
}

static void done_start(ViommuLaunch *launch)
{
    if (launch->step_error)
        g_prefix_error(&launch->step_error, "machine '%s': ", launch->name);
    if (step_failed(launch)) {
        fail(launch);
        return;
    }
    if (launch->late_warning)
        note_warning(launch);
    launch->metadata->phase = VIOMMU_STATE_RUNNING;
    run_step(launch, STEP_MARK);
}

static void work_mark(void *data)
{
    ViommuLaunch *launch = data;
    g_autofree char *xml = viommu_metadata_to_xml(launch->metadata);

    VIOMMU_FAULT(before_mark);
    viommu_backend_set_metadata(launch->context.backend, launch->uuid, xml, &launch->step_error);
    VIOMMU_FAULT(after_mark);
}

static void done_mark(ViommuLaunch *launch)
{
    VIOMMU_FAULT(before_answer);
    if (step_failed(launch)) {
        fail(launch);
        return;
    }
    launch->deadline = sd_event_source_disable_unref(launch->deadline);
    tell(launch, VIOMMU_EVENT_STARTED);
}

static const StepInfo steps[STEP_LAST] = {
    [STEP_OPEN] = {work_open, done_open, "for its files to be opened and read"},
    [STEP_PROBE] = {NULL, NULL, "for libvirt to tell about this host"},
    [STEP_DEFINE] = {work_define, done_define, "for libvirt to define it"},
    [STEP_PREPARE] = {work_prepare, done_prepare, "for its files to be copied"},
    [STEP_START] = {work_start, done_start, "for libvirt and QEMU to start it"},
    [STEP_MARK] = {work_mark, done_mark, "for libvirt to note that it runs"},
};

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
