/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: the steps and what follows on each.  Does not know who asked. */
#include "daemon/launch.h"

#include "daemon/boottime.h"
#include "daemon/fault.h"
#include "daemon/log.h"
#include "daemon/removal.h"
#include "lib/domain-xml.h"
#include "lib/error.h"
#include "lib/memory.h"
#include "lib/plan.h"
#include "lib/process.h"

typedef enum Step {
    STEP_OPEN,
    STEP_DEFINE,
    STEP_PREPARE,
    STEP_START,
    STEP_MARK,
    STEP_UNDO,
    STEP_LAST,
} Step;

struct ViommuLaunch {
    ViommuLaunchContext context;
    ViommuLaunchFunc func;
    void *userdata;
    ViommuRequest *request;
    char *name, *uuid;
    uint32_t owner_uid;
    ViommuAsker asker;
    uint64_t created_usec;
    uint64_t lease_end_usec; /* 0: no lease, or not begun */
    char *client;

    ViommuFiles *files;
    GPtrArray *holders; /* of ViommuHolder; NULL: no devices are asked for */
    GArray *vetoes;     /* of ViommuVeto, whose text is owned */
    ViommuPlan *plan;
    ViommuMetadata *metadata;
    char *xml;
    char *late_warning;
    bool cancelled; /* loop thread only; the workers do not look at it */

    GError *step_error; /* of the step that just ran */
    bool unsupported;   /* libvirt says that it cannot be */
    GError *error;      /* why it all ends */
    GPtrArray *reasons;
};

static void work_open(void *data);
static void work_define(void *data);
static void work_prepare(void *data);
static void work_start(void *data);
static void work_mark(void *data);
static void work_undo(void *data);
static void done_open(void *data);
static void done_define(void *data);
static void done_prepare(void *data);
static void done_start(void *data);
static void done_mark(void *data);
static void done_undo(void *data);

static const struct {
    ViommuWorkFunc work;
    ViommuDoneFunc done;
} steps[] = {
    [STEP_OPEN] = {work_open, done_open},          [STEP_DEFINE] = {work_define, done_define},
    [STEP_PREPARE] = {work_prepare, done_prepare}, [STEP_START] = {work_start, done_start},
    [STEP_MARK] = {work_mark, done_mark},          [STEP_UNDO] = {work_undo, done_undo},
};
G_STATIC_ASSERT(G_N_ELEMENTS(steps) == STEP_LAST);

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
    launch->asker = identity->asker;
    launch->created_usec = identity->created_usec;
    launch->client = g_strdup(identity->client);
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

void viommu_launch_free(ViommuLaunch *launch)
{
    if (!launch)
        return;
    clear_plan(launch);
    viommu_files_free(launch->files);
    g_clear_pointer(&launch->holders, g_ptr_array_unref);
    viommu_request_free(launch->request);
    g_free(launch->name);
    g_free(launch->uuid);
    g_free(launch->client);
    g_free(launch->late_warning);
    g_array_unref(launch->vetoes);
    g_clear_error(&launch->step_error);
    g_clear_error(&launch->error);
    g_clear_pointer(&launch->reasons, g_ptr_array_unref);
    g_free(launch);
}

static void run_step(ViommuLaunch *launch, Step step)
{
    viommu_worker_run(launch->context.worker, steps[step].work, steps[step].done, launch);
}

static void tell(ViommuLaunch *launch, ViommuEvent event)
{
    launch->func(launch, event, launch->userdata);
}

static void log_fields(const ViommuLaunch *launch, ViommuLogFields *fields, char *uid, size_t size)
{
    g_snprintf(uid, size, "%u", launch->owner_uid);
    *fields = (ViommuLogFields){.machine_name = launch->name, .machine_uuid = launch->uuid, .owner_uid = uid};
}

/* Fails the launch with what the last step said, if it failed, or because somebody wants it gone. */
static bool step_failed(ViommuLaunch *launch)
{
    if (!launch->step_error && launch->cancelled)
        g_set_error(&launch->step_error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                    "machine '%s' was stopped while it was being launched", launch->name);
    if (!launch->step_error)
        return false;
    launch->error = g_steal_pointer(&launch->step_error);
    return true;
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
        .handovers = viommu_files_handovers(launch->files),
        .kernel = viommu_files_kernel(launch->files),
        .name = launch->name,
        .uuid = launch->uuid,
        .claims = (const ViommuClaim *)(void *)claims->data,
        .n_claims = claims->len,
        .asker = &launch->asker,
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
    launch->metadata->lease_end_usec = launch->lease_end_usec;
    launch->metadata->boot = launch->lease_end_usec ? g_strdup(viommu_boottime_boot()) : NULL;
    launch->metadata->client = g_strdup(launch->client);
    launch->xml = viommu_domain_xml(launch->plan, launch->metadata);
    return true;
}

static void plan_and_define(const ViommuHost *host, const GError *error, void *userdata)
{
    ViommuLaunch *launch = userdata;

    if (!host)
        launch->step_error = g_error_copy(error);
    if (step_failed(launch) || !make_plan(launch, host)) {
        tell(launch, VIOMMU_EVENT_LAUNCH_FAILED);
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
    tell(launch, VIOMMU_EVENT_LAUNCH_FAILED);
}

void viommu_launch_begin(ViommuLaunch *launch)
{
    VIOMMU_FAULT(launch_begins);
    if (launch->request->lease.seconds != VIOMMU_UNSET_NUMBER)
        launch->lease_end_usec = viommu_boottime_now() + launch->request->lease.seconds * G_USEC_PER_SEC;
    run_step(launch, STEP_OPEN);
}

void viommu_launch_cancel(ViommuLaunch *launch)
{
    launch->cancelled = true;
}

static void work_open(void *data)
{
    ViommuLaunch *launch = data;

    launch->files = viommu_files_open(launch->context.files, launch->request, launch->owner_uid, launch->uuid,
                                      &launch->step_error);
    if (launch->files && launch->request->hostdevs)
        launch->holders = viommu_backend_list_holders(launch->context.backend, &launch->step_error);
    VIOMMU_FAULT(after_open);
}

static void done_open(void *data)
{
    ViommuLaunch *launch = data;

    if (!launch->step_error)
        viommu_admission_take_copies(launch->context.admission, launch->uuid, launch->owner_uid,
                                     viommu_files_copied_bytes(launch->files), &launch->step_error);
    if (step_failed(launch))
        tell(launch, VIOMMU_EVENT_LAUNCH_FAILED);
    else
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
    ViommuLogFields fields;
    char uid[16];

    log_fields(launch, &fields, uid, sizeof(uid));
    viommu_log(LOG_WARNING, &fields, "libvirt refuses IOMMU model '%s', which the table allows here: %s",
               viommu_model_to_string(model), launch->step_error->message);
    g_clear_error(&launch->step_error);
    g_array_append_val(launch->vetoes, veto);
    plan_and_define(viommu_hostinfo_host(launch->context.hostinfo), NULL, launch);
}

static void done_define(void *data)
{
    ViommuLaunch *launch = data;
    bool veto = launch->step_error && launch->unsupported && !launch->cancelled &&
                launch->plan->iommu.model != VIOMMU_MODEL_NONE;

    if (veto) {
        plan_without_model(launch);
    } else if (step_failed(launch)) {
        /* Also when libvirt refused: an answer that was lost on the way may have been a yes. */
        run_step(launch, STEP_UNDO);
    } else {
        run_step(launch, STEP_PREPARE);
        tell(launch, VIOMMU_EVENT_DEFINED);
    }
}

/* After the domain stands, which is how a later daemon would find what was made. */
static void work_prepare(void *data)
{
    ViommuLaunch *launch = data;

    viommu_files_copy(launch->files, &launch->step_error);
    VIOMMU_FAULT(after_prepare);
}

static void done_prepare(void *data)
{
    ViommuLaunch *launch = data;

    run_step(launch, step_failed(launch) ? STEP_UNDO : STEP_START);
}

/* What libvirt really let it lock; of a QEMU that can be seen from here. */
static void look_at_limit(ViommuLaunch *launch)
{
    bool look = launch->plan->memlock_bytes > 0 && viommu_backend_is_local(launch->context.backend);
    uint64_t pid = look ? viommu_process_find_guest("/", launch->uuid) : 0;

    if (pid)
        launch->late_warning =
            viommu_memory_compare_limit(launch->plan, viommu_process_locked_limit("/", pid));
}

static void work_start(void *data)
{
    ViommuLaunch *launch = data;
    g_autoptr(GArray) open = g_array_new(FALSE, FALSE, sizeof(ViommuBackendFile));

    for (guint i = 0; i < launch->plan->disks->len; i++) {
        const ViommuPlanDisk *disk = g_ptr_array_index(launch->plan->disks, i);
        ViommuBackendFile file = {disk->target, disk->is_open ? viommu_files_disk(launch->files, i) : -1};

        if (disk->is_open)
            g_array_append_val(open, file);
    }
    VIOMMU_FAULT(before_start);
    if (viommu_backend_start(launch->context.backend, launch->uuid, open, launch->owner_uid,
                             &launch->step_error))
        look_at_limit(launch);
    VIOMMU_FAULT(after_start);
}

static void note_warning(ViommuLaunch *launch)
{
    ViommuLogFields fields;
    guint n = g_strv_length(launch->metadata->warnings);
    char uid[16];

    log_fields(launch, &fields, uid, sizeof(uid));
    viommu_log(LOG_WARNING, &fields, "machine '%s': %s", launch->name, launch->late_warning);
    launch->metadata->warnings = g_renew(char *, launch->metadata->warnings, n + 2);
    launch->metadata->warnings[n] = g_strdup(launch->late_warning);
    launch->metadata->warnings[n + 1] = NULL;
}

static void done_start(void *data)
{
    ViommuLaunch *launch = data;

    if (launch->step_error)
        g_prefix_error(&launch->step_error, "machine '%s': ", launch->name);
    if (step_failed(launch)) {
        run_step(launch, STEP_UNDO);
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

static void done_mark(void *data)
{
    ViommuLaunch *launch = data;

    VIOMMU_FAULT(before_answer);
    if (step_failed(launch))
        run_step(launch, STEP_UNDO);
    else
        tell(launch, VIOMMU_EVENT_STARTED);
}

static void work_undo(void *data)
{
    ViommuLaunch *launch = data;

    VIOMMU_FAULT(before_undo);
    viommu_removal_run(launch->context.backend, launch->context.files->copies, launch->uuid,
                       &launch->step_error);
}

/* An undo that fails leaves a domain whose metadata says how far it got: it is undone when libvirt is back. */
static void done_undo(void *data)
{
    ViommuLaunch *launch = data;
    ViommuLogFields fields;
    char uid[16];

    if (launch->step_error) {
        log_fields(launch, &fields, uid, sizeof(uid));
        viommu_log_error(LOG_ERR, &fields, launch->step_error, "undoing a failed launch");
    }
    tell(launch, VIOMMU_EVENT_LAUNCH_FAILED);
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

bool viommu_launch_left_something(const ViommuLaunch *launch)
{
    return launch->step_error != NULL;
}

const GError *viommu_launch_error(const ViommuLaunch *launch)
{
    return launch->error;
}

const GPtrArray *viommu_launch_reasons(const ViommuLaunch *launch)
{
    return launch->reasons;
}
