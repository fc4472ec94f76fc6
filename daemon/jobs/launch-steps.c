/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch-steps: the work of each step of a launch, and the table of steps.  Does not know what
 * follows a failure. */
#include "daemon/jobs/launch-internal.h"

#include <string.h>

#include "daemon/jobs/locked-memory.h"
#include "daemon/jobs/reach.h"
#include "daemon/jobs/recheck.h"
#include "daemon/process/fault.h"
#include "daemon/process/journal.h"
#include "lib/base/error.h"
#include "lib/domain/domain-xml.h"

/* How often ports are drawn for passt, and what it says when one is in use. */
#define PORT_TURNS   8u
#define PASST_IN_USE "Failed to bind port"

static bool goes_on(const ViommuLaunch *launch)
{
    return !launch->step_error && !launch->cancelled;
}

/* --- open: the files, the owner's permissions, and the devices of other guests --- */

static void work_open(void *data)
{
    ViommuLaunch *launch = data;

    if (viommu_permit_learn(&launch->permit, launch->context.backend, launch->context.policy->site,
                            launch->request, &launch->step_error) &&
        viommu_reader_open(launch->reader, &launch->step_error) && launch->request->hostdevs)
        launch->holders = viommu_backend_list_holders(launch->context.backend, &launch->step_error);
    VIOMMU_FAULT(after_open);
}

static void settle_open(ViommuLaunch *launch)
{
    ViommuCopiesSize size;
    bool known = true;

    if (launch->step_error)
        return;
    size = viommu_reader_size(launch->reader);
    if (viommu_admission_take_copies(launch->context.admission, launch->uuid, launch->owner_uid, &size,
                                     &launch->step_error) &&
        viommu_reader_recall(launch->reader, &known, &launch->step_error) && !known)
        launch->next = VIOMMU_LAUNCH_DIGEST;
}

/* --- digest: only of images whose digest is not known --- */

static void work_digest(void *data)
{
    ViommuLaunch *launch = data;

    viommu_reader_digest(launch->reader, &launch->step_error);
    VIOMMU_FAULT(after_digest);
}

static void settle_digest(ViommuLaunch *launch)
{
    bool known = false;

    if (!launch->step_error && viommu_reader_recall(launch->reader, &known, &launch->step_error) && !known)
        viommu_fail(&launch->step_error, VIOMMU_ERROR_INTERNAL,
                    "the digest of an image is still not known after it was read");
}

/* --- probe: the host's abilities --- */

static void take_host(const ViommuOutcome *outcome, void *userdata)
{
    ViommuLaunch *launch = userdata;

    if (outcome->error)
        launch->step_error = g_error_copy(outcome->error);
    viommu_launch_answered(launch);
}

static void ask_host(ViommuLaunch *launch)
{
    viommu_hostinfo_refresh(launch->context.hostinfo, take_host, launch);
}

/* --- prove: whether KVM runs guests; only for launches that may use it --- */

static void take_verdict(const ViommuOutcome *unused, void *userdata)
{
    viommu_launch_answered(userdata);
}

static void ask_kvm(ViommuLaunch *launch)
{
    ViommuHostinfo *hostinfo = launch->context.hostinfo;

    if (viommu_plan_may_use_kvm(launch->request, viommu_hostinfo_host(hostinfo), launch->context.policy))
        viommu_hostinfo_await_kvm(hostinfo, take_verdict, launch);
    else
        viommu_launch_answered(launch);
}

/* --- plan --- */

/* The planned devices and memory must be known to the next plan: the event PLANNED is told before
 * another launch is planned. */
static bool make_plan(ViommuLaunch *launch, const ViommuHost *host)
{
    g_autoptr(GArray) claims =
        viommu_admission_claims(launch->context.admission, launch->holders, launch->uuid, false);
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

    viommu_launch_clear_plan(launch);
    if (!viommu_plan_build(&input, &launch->plan, &launch->reasons, &launch->step_error) ||
        !viommu_admission_check_memory(launch->context.admission, launch->plan, host, &launch->step_error))
        return false;
    launch->metadata =
        viommu_metadata_new(launch->plan, launch->request, launch->owner_uid, launch->created_usec);
    launch->metadata->phase = VIOMMU_STATE_DEFINING;
    viommu_lease_write(&launch->lease, launch->metadata);
    launch->metadata->client = g_strdup(launch->client);
    launch->xml = viommu_domain_xml(launch->plan, launch->metadata);
    return true;
}

static void settle_plan(ViommuLaunch *launch)
{
    if (goes_on(launch) && make_plan(launch, viommu_hostinfo_host(launch->context.hostinfo)))
        VIOMMU_FAULT(planned);
}

/* --- define --- */

static void work_define(void *data)
{
    ViommuLaunch *launch = data;

    launch->unsupported = false;
    VIOMMU_FAULT(before_define);
    viommu_backend_define(launch->context.backend, launch->xml, &launch->unsupported, &launch->step_error);
    VIOMMU_FAULT(after_define);
}

/* libvirt's answer overrides the table: the model is excluded, and the planner chooses the next
 * candidate. */
static void plan_without_model(ViommuLaunch *launch)
{
    ViommuModel model = launch->plan->iommu.model;
    ViommuVeto veto = {.model = model, .text = g_utf8_make_valid(launch->step_error->message, -1)};
    const ViommuLogFields fields = viommu_launch_log_fields(launch);

    if (viommu_journal_may_tell(launch->owner_uid))
        viommu_log(LOG_WARNING, &fields,
                   "libvirt refused IOMMU model '%s', which viommud expects to work here: %s",
                   viommu_model_to_string(model), launch->step_error->message);
    g_clear_error(&launch->step_error);
    g_array_append_val(launch->vetoes, veto);
    launch->next = VIOMMU_LAUNCH_PLAN;
}

/* Any other refusal fails the launch.  The launch is undone even so, because libvirt may have
 * defined the domain if its answer was lost. */
static void settle_define(ViommuLaunch *launch)
{
    if (launch->step_error && launch->unsupported && !launch->cancelled &&
        launch->plan->iommu.model != VIOMMU_MODEL_NONE)
        plan_without_model(launch);
}

/* --- prepare: the copies of boot files, overlays, and the seed --- */

/* The copies come after the domain, because a later daemon finds them by the domain. */
static void work_prepare(void *data)
{
    ViommuLaunch *launch = data;

    viommu_reader_prepare(launch->reader, launch->plan->group, &launch->step_error);
    VIOMMU_FAULT(after_prepare);
}

/* --- start --- */

/* Of QEMU's own network, which opens the ports later, or of passt.  NULL: none. */
static GArray *forwards_of(const ViommuRequest *request, const ViommuPlan *plan)
{
    GArray *forwards = g_array_new(FALSE, FALSE, sizeof(ViommuForward));

    for (guint i = 0; request->networks && i < request->networks->len; i++) {
        const GArray *asked = ((const ViommuRequestNetwork *)request->networks->pdata[i])->forward;
        const GArray *passt = ((const ViommuPlanNetwork *)plan->networks->pdata[i])->passt_ports;

        for (guint j = 0; asked && j < asked->len; j++) {
            const ViommuForward forward = {
                .network = (uint16_t)i,
                .guest_port = (uint16_t)g_array_index(asked, uint64_t, j),
                .host_port = passt ? g_array_index(passt, ViommuPlanPort, j).host : 0,
            };

            g_array_append_val(forwards, forward);
        }
    }
    if (forwards->len == 0)
        g_clear_pointer(&forwards, g_array_unref);
    return forwards;
}

/* The guest's addresses come later. */
static bool learn_reach(ViommuLaunch *launch)
{
    uint64_t kinds = viommu_reach_kinds_from_text(launch->metadata->reach) & VIOMMU_BIT(VIOMMU_REACH_VSOCK);

    return viommu_reach_read(launch->context.backend, launch->uuid, kinds, &launch->reach,
                             &launch->step_error);
}

/* passt is told its ports, and one of them may be in use. */
static bool start_once(ViommuLaunch *launch, ViommuBackendStart *start)
{
    g_clear_pointer(&launch->reach.forwards, g_array_unref);
    start->forwards = launch->reach.forwards = forwards_of(launch->request, launch->plan);
    return viommu_backend_start(launch->context.backend, launch->uuid, start, &launch->step_error);
}

static bool draw_again(ViommuLaunch *launch, unsigned turn)
{
    bool unsupported = false;

    if (turn == PORT_TURNS || !strstr(launch->step_error->message, PASST_IN_USE) ||
        !viommu_plan_draw_ports(launch->plan, turn))
        return false;
    g_clear_error(&launch->step_error);
    g_free(launch->xml);
    launch->xml = viommu_domain_xml(launch->plan, launch->metadata);
    return viommu_backend_define(launch->context.backend, launch->xml, &unsupported, &launch->step_error);
}

static bool start_guest(ViommuLaunch *launch, ViommuBackendStart *start)
{
    unsigned turn = 0;

    while (!start_once(launch, start))
        if (!draw_again(launch, ++turn))
            return false;
    return true;
}

static void work_start(void *data)
{
    ViommuLaunch *launch = data;
    const ViommuRecheck recheck = {launch->context.backend, launch->context.policy->site, launch->request,
                                   &launch->plan->placement};
    g_autoptr(GArray) open = viommu_reader_open_files(launch->reader, launch->plan);
    ViommuBackendStart start = {.files = open, .lane = launch->owner_uid};

    VIOMMU_FAULT(before_start);
    if (viommu_recheck_run(&recheck, &launch->permit, &launch->step_error) && start_guest(launch, &start) &&
        learn_reach(launch))
        launch->late_warning = viommu_locked_look(launch->context.backend, launch->plan, launch->uuid);
    viommu_reader_release(launch->reader);
    VIOMMU_FAULT(after_start);
}

static void note_warning(ViommuLaunch *launch)
{
    const ViommuLogFields fields = viommu_launch_log_fields(launch);

    if (viommu_journal_may_tell(launch->owner_uid))
        viommu_log(LOG_WARNING, &fields, "machine '%s': %s", launch->name, launch->late_warning);
    viommu_metadata_add_warning(launch->metadata, launch->late_warning);
}

static void settle_start(ViommuLaunch *launch)
{
    if (launch->step_error)
        g_prefix_error(&launch->step_error, "machine '%s': ", launch->name);
    if (!goes_on(launch))
        return;
    if (launch->late_warning)
        note_warning(launch);
    launch->metadata->phase = VIOMMU_STATE_RUNNING;
}

/* --- mark: the metadata records that the guest runs --- */

static void work_mark(void *data)
{
    ViommuLaunch *launch = data;
    g_autofree char *xml = viommu_metadata_to_xml(launch->metadata);

    VIOMMU_FAULT(before_mark);
    viommu_backend_set_metadata(launch->context.backend, launch->uuid, xml, &launch->step_error);
    VIOMMU_FAULT(after_mark);
}

static void settle_mark(ViommuLaunch *launch)
{
    VIOMMU_FAULT(before_answer);
}

const ViommuLaunchStepInfo viommu_launch_steps[VIOMMU_LAUNCH_LAST] = {
    [VIOMMU_LAUNCH_OPEN] = {.name = "open",
                            .work = work_open,
                            .settle = settle_open,
                            .event = VIOMMU_EVENT_LAST,
                            .next = VIOMMU_LAUNCH_PROBE,
                            .waits = "for its files to be opened and read"},
    [VIOMMU_LAUNCH_DIGEST] = {.name = "digest",
                              .work = work_digest,
                              .settle = settle_digest,
                              .event = VIOMMU_EVENT_LAST,
                              .next = VIOMMU_LAUNCH_PROBE,
                              .waits = "for its images to be read for their digests"},
    [VIOMMU_LAUNCH_PROBE] = {.name = "probe",
                             .ask = ask_host,
                             .event = VIOMMU_EVENT_LAST,
                             .next = VIOMMU_LAUNCH_PROVE,
                             .waits = "for libvirt to describe this host"},
    [VIOMMU_LAUNCH_PROVE] = {.name = "prove",
                             .ask = ask_kvm,
                             .event = VIOMMU_EVENT_LAST,
                             .next = VIOMMU_LAUNCH_PLAN,
                             .waits = "for a guest of viommud's own to show whether KVM works"},
    [VIOMMU_LAUNCH_PLAN] = {.name = "plan",
                            .settle = settle_plan,
                            .event = VIOMMU_EVENT_PLANNED,
                            .next = VIOMMU_LAUNCH_DEFINE},
    [VIOMMU_LAUNCH_DEFINE] = {.name = "define",
                              .work = work_define,
                              .settle = settle_define,
                              .event = VIOMMU_EVENT_DEFINED,
                              .next = VIOMMU_LAUNCH_PREPARE,
                              .undo = true,
                              .waits = "for libvirt to define it"},
    [VIOMMU_LAUNCH_PREPARE] = {.name = "prepare",
                               .work = work_prepare,
                               .event = VIOMMU_EVENT_LAST,
                               .next = VIOMMU_LAUNCH_START,
                               .undo = true,
                               .waits = "for its copies, overlays and seed to be made"},
    [VIOMMU_LAUNCH_START] = {.name = "start",
                             .work = work_start,
                             .settle = settle_start,
                             .event = VIOMMU_EVENT_LAST,
                             .next = VIOMMU_LAUNCH_MARK,
                             .undo = true,
                             .waits = "for libvirt and QEMU to start it"},
    [VIOMMU_LAUNCH_MARK] = {.name = "mark",
                            .work = work_mark,
                            .settle = settle_mark,
                            .event = VIOMMU_EVENT_STARTED,
                            .next = VIOMMU_LAUNCH_LAST,
                            .undo = true,
                            .waits = "for libvirt to record that it runs"},
};
