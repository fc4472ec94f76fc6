/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attach: the steps, one after the other. */
#include "daemon/jobs/attach.h"

#include "daemon/jobs/locked-memory.h"
#include "daemon/jobs/permit.h"
#include "daemon/jobs/recheck.h"
#include "daemon/machines/job.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"
#include "lib/domain/domain-xml.h"
#include "lib/domain/plug.h"
#include "lib/plan/plan.h"

struct ViommuAttach {
    ViommuAttachContext context;
    ViommuAttachFunc func;
    void *userdata;
    char *uuid, *name;
    uint32_t owner_uid;
    GVariant *tree;
    GArray *fds;
    ViommuPermit permit;

    ViommuMetadata *metadata;
    ViommuPlugRoom room;
    ViommuRequest *request;
    ViommuReader *reader; /* NULL: there is no file */
    GPtrArray *holders;   /* of ViommuHolder; NULL: not asked for */
    ViommuPlan *plan;
    GPtrArray *reasons;
    char *id;              /* NULL: the machine does not have the device */
    char *xml;             /* of the device */
    char *record, *before; /* of the metadata: with it, and without it; NULL: no element */
    char *warning;
    bool unknown;
    GError *error;
};

void viommu_attach_free(ViommuAttach *attach)
{
    if (!attach)
        return;
    viommu_reader_free(attach->reader);
    viommu_permit_clear(&attach->permit);
    viommu_metadata_free(attach->metadata);
    viommu_plug_room_clear(&attach->room);
    viommu_request_free(attach->request);
    viommu_plan_free(attach->plan);
    g_clear_pointer(&attach->fds, g_array_unref);
    g_clear_pointer(&attach->tree, g_variant_unref);
    g_clear_pointer(&attach->holders, g_ptr_array_unref);
    g_clear_pointer(&attach->reasons, g_ptr_array_unref);
    g_free(attach->uuid);
    g_free(attach->name);
    g_free(attach->id);
    g_free(attach->xml);
    g_free(attach->record);
    g_free(attach->before);
    g_free(attach->warning);
    g_clear_error(&attach->error);
    g_free(attach);
}

const char *viommu_attach_id(const ViommuAttach *attach)
{
    return attach->id;
}

const GPtrArray *viommu_attach_reasons(const ViommuAttach *attach)
{
    return attach->reasons;
}

bool viommu_attach_is_unknown(const ViommuAttach *attach)
{
    return attach->unknown;
}

static void run(ViommuAttach *attach, ViommuWorkFunc work, ViommuDoneFunc done)
{
    viommu_worker_run(attach->context.calls, attach->owner_uid, work, done, attach);
}

/* The machine, if it still runs; else the attach fails. */
static ViommuMachine *find(ViommuAttach *attach)
{
    ViommuMachine *machine = viommu_registry_by_uuid(attach->context.registry, attach->uuid);

    if (attach->error)
        return NULL;
    if (machine && machine->state == VIOMMU_STATE_RUNNING && !viommu_machine_is_busy(machine))
        return machine;
    viommu_fail(&attach->error, VIOMMU_ERROR_BUSY, "machine '%s' ended before the device was attached",
                attach->name);
    return NULL;
}

static void finish(ViommuAttach *attach)
{
    attach->func(attach, attach->error, attach->userdata);
}

/* --- attach --- */

/* Whether the domain has the device although libvirt's answer was an error, or was lost. */
static bool is_there(ViommuAttach *attach)
{
    g_autofree char *xml = viommu_backend_get_xml(attach->context.backend, attach->uuid, NULL);
    g_auto(ViommuPlugRoom) room = {0};

    attach->unknown = !xml || !viommu_plug_room_read(xml, &room, NULL);
    return !attach->unknown && g_strv_contains((const char *const *)room.ids, attach->id);
}

static bool attach_now(ViommuAttach *attach)
{
    g_autoptr(GArray) files = attach->reader ? viommu_reader_open_files(attach->reader, attach->plan) : NULL;
    g_autoptr(GError) cause = NULL;

    if (viommu_backend_attach(attach->context.backend, attach->uuid, attach->xml, files, &cause) ||
        is_there(attach))
        return true;
    g_propagate_error(&attach->error, g_steal_pointer(&cause));
    return false;
}

static void work_attach(void *data)
{
    ViommuAttach *attach = data;
    ViommuBackend *backend = attach->context.backend;
    const ViommuRecheck recheck = {backend, attach->context.policy->site, attach->request,
                                   &attach->plan->placement};

    if (viommu_recheck_run(&recheck, &attach->permit, &attach->error) &&
        viommu_backend_set_attached(backend, attach->uuid, attach->record, &attach->error)) {
        if (attach_now(attach))
            attach->warning = viommu_locked_look(backend, attach->plan, attach->uuid);
        else if (!attach->unknown)
            (void)viommu_backend_set_attached(backend, attach->uuid, attach->before, NULL);
    }
    if (attach->reader)
        viommu_reader_release(attach->reader);
}

static void warn(ViommuAttach *attach, ViommuMachine *machine)
{
    if (!attach->warning)
        return;
    if (viommu_journal_may_tell(attach->owner_uid))
        viommu_log(LOG_WARNING, NULL, "machine '%s': %s", attach->name, attach->warning);
    viommu_registry_warn(attach->context.registry, machine, attach->warning);
}

/* A device whose fate is not known stays the machine's, so that no other gets it. */
static void done_attach(void *data)
{
    ViommuAttach *attach = data;
    ViommuMachine *machine = viommu_registry_by_uuid(attach->context.registry, attach->uuid);

    if (machine && attach->error && !attach->unknown)
        viommu_registry_detach(attach->context.registry, machine, attach->id);
    machine = find(attach);
    if (machine)
        warn(attach, machine);
    finish(attach);
}

/* --- plan --- */

static bool make_plan(ViommuAttach *attach, const ViommuMachine *machine, const ViommuHost *host)
{
    g_autoptr(GArray) claims =
        viommu_admission_claims(attach->context.admission, attach->holders, attach->uuid, true);
    const ViommuPlanInput input = {
        .request = attach->request,
        .host = host,
        .policy = attach->context.policy,
        .handovers = attach->reader ? viommu_reader_handovers(attach->reader) : NULL,
        .name = attach->name,
        .uuid = attach->uuid,
        .claims = (const ViommuClaim *)(void *)claims->data,
        .n_claims = claims->len,
        .forward_modes = attach->permit.forward_modes,
        .targets = attach->room.targets,
        .n_hostdevs = machine->hostdevs ? g_strv_length(machine->hostdevs) : 0,
        .asker = &attach->permit.asker,
        .is_remote = attach->context.files->skip,
    };

    return viommu_plan_build(&input, &attach->plan, &attach->reasons, &attach->error) &&
           viommu_plug_check_room(attach->name, attach->plan, &attach->room, &attach->error);
}

/* Only a device of the host makes QEMU lock memory. */
static bool check_memory(ViommuAttach *attach, const ViommuMachine *machine, const ViommuHost *host)
{
    const ViommuAdmission *admission = attach->context.admission;

    return attach->plan->placement.devices->len == 0 ||
           (viommu_admission_check_locked(admission, machine, attach->plan, &attach->error) &&
            viommu_admission_check_memory(admission, attach->plan, host, &attach->error));
}

static bool check_count(ViommuAttach *attach, const ViommuMachine *machine)
{
    if (!machine->attached || machine->attached->len < VIOMMU_ATTACHED_MAX)
        return true;
    return viommu_fail(&attach->error, VIOMMU_ERROR_BUSY,
                       "machine '%s' has %u attached devices, the maximum; detach one first", attach->name,
                       VIOMMU_ATTACHED_MAX);
}

/* From here on the device is the machine's for all that is planned. */
static void take_device(ViommuAttach *attach, ViommuMachine *machine)
{
    g_autofree char *id = viommu_attached_new_id(machine->attached, attach->room.ids,
                                                 attach->request->disks      ? VIOMMU_ATTACHED_DISK
                                                 : attach->request->networks ? VIOMMU_ATTACHED_NETWORK
                                                                             : VIOMMU_ATTACHED_HOSTDEV);
    g_autofree char *alias = g_strconcat(VIOMMU_ATTACHED_ALIAS, id, NULL);
    g_autoptr(ViommuAttached) record = viommu_plug_record(attach->request, attach->plan, id);

    attach->before = viommu_attached_to_xml(machine->attached);
    viommu_registry_attach(attach->context.registry, machine, record);
    attach->record = viommu_attached_to_xml(machine->attached);
    attach->xml = viommu_domain_device_xml(attach->plan, alias, viommu_plug_bus(attach->plan, &attach->room));
    attach->id = g_steal_pointer(&id);
}

static void take_host(const ViommuOutcome *outcome, void *userdata)
{
    ViommuAttach *attach = userdata;
    const ViommuHost *host = viommu_hostinfo_host(attach->context.hostinfo);
    ViommuMachine *machine;

    if (outcome->error)
        attach->error = g_error_copy(outcome->error);
    machine = find(attach);
    if (!machine || !check_count(attach, machine) || !make_plan(attach, machine, host) ||
        !check_memory(attach, machine, host)) {
        finish(attach);
        return;
    }
    take_device(attach, machine);
    run(attach, work_attach, done_attach);
}

/* --- open --- */

static void work_open(void *data)
{
    ViommuAttach *attach = data;
    const ViommuAttachContext *context = &attach->context;

    if (viommu_permit_learn(&attach->permit, context->backend, context->policy->site, attach->request,
                            &attach->error) &&
        (!attach->reader || viommu_reader_open(attach->reader, &attach->error)) && attach->request->hostdevs)
        attach->holders = viommu_backend_list_holders(context->backend, &attach->error);
}

static void done_open(void *data)
{
    ViommuAttach *attach = data;

    if (find(attach))
        viommu_hostinfo_refresh(attach->context.hostinfo, take_host, attach);
    else
        finish(attach);
}

/* --- look --- */

static bool check_version(ViommuAttach *attach)
{
    if (!attach->metadata->foreign)
        return true;
    return viommu_fail(&attach->error, VIOMMU_ERROR_NOT_SUPPORTED,
                       "machine '%s' was made by another version of viommud", attach->name);
}

static void work_look(void *data)
{
    ViommuAttach *attach = data;
    ViommuBackend *backend = attach->context.backend;
    g_autofree char *metadata = viommu_backend_get_metadata(backend, attach->uuid, &attach->error);
    g_autofree char *additions = metadata ? viommu_backend_get_additions(backend, attach->uuid) : NULL;
    g_autofree char *attached = metadata ? viommu_backend_get_attached(backend, attach->uuid) : NULL;
    g_autofree char *xml = NULL;
    g_autoptr(GPtrArray) recorded = NULL;

    if (!metadata)
        return;
    attach->metadata = viommu_metadata_from_xml(metadata, additions, &attach->error);
    /* What another viommud has recorded must not be overwritten. */
    if (attach->metadata && attached)
        recorded = viommu_attached_from_xml(attached, &attach->error);
    if (!attach->metadata || (attached && !recorded) || !check_version(attach))
        return;
    xml = viommu_backend_get_xml(backend, attach->uuid, &attach->error);
    if (xml)
        (void)viommu_plug_room_read(xml, &attach->room, &attach->error);
}

static bool read_request(ViommuAttach *attach)
{
    g_autoptr(GVariant) tree = viommu_plug_request(attach->metadata, attach->tree, &attach->error);

    attach->request = tree ? viommu_request_parse(tree, &attach->error) : NULL;
    if (!attach->request)
        return false;
    attach->request->fds = g_steal_pointer(&attach->fds);
    return viommu_plug_check_request(attach->request, &attach->error);
}

static bool make_reader(ViommuAttach *attach)
{
    const ViommuFilesMachine machine = {attach->owner_uid, attach->uuid, attach->name};

    return !attach->request->disks ||
           viommu_reader_new(attach->context.readers, attach->context.files, attach->request, &machine,
                             &attach->reader, &attach->error);
}

static void done_look(void *data)
{
    ViommuAttach *attach = data;

    if (find(attach) && read_request(attach) && make_reader(attach))
        run(attach, work_open, done_open);
    else
        finish(attach);
}

ViommuAttach *viommu_attach_new(const ViommuAttachContext *context, const ViommuMachine *machine,
                                const ViommuAttachOrder *order, ViommuAttachFunc func, void *userdata)
{
    ViommuAttach *attach = g_new0(ViommuAttach, 1);

    attach->context = *context;
    attach->func = func;
    attach->userdata = userdata;
    attach->uuid = g_strdup(machine->uuid);
    attach->name = g_strdup(machine->name);
    attach->owner_uid = machine->owner_uid;
    attach->tree = g_variant_ref(order->tree);
    attach->fds = order->fds;
    viommu_permit_init(&attach->permit, &order->asker);
    run(attach, work_look, done_look);
    return attach;
}
