/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enquiry: one question, one answer. */
#include "daemon/jobs/enquiry.h"

#include "lib/domain/domain-xml.h"
#include "lib/base/error.h"
#include "lib/host/osinfo.h"
#include "lib/plan/report.h"

typedef struct Dry {
    ViommuEnquiryRoom room;
    ViommuRequest *request;
    ViommuPermit permit;
    ViommuWaiter waiter;
    ViommuReader *reader; /* reads what the site says of the image; NULL: none is requested */
    bool brief;           /* only the model is wanted */
    char *osinfo;         /* what osinfo-db says of the guest; NULL: nothing */
    GError *error;
} Dry;

static void answer_dry(Dry *dry, const ViommuOutcome *outcome)
{
    viommu_waiter_answer(&dry->waiter, outcome);
    viommu_reader_free(dry->reader);
    viommu_request_free(dry->request);
    viommu_permit_clear(&dry->permit);
    g_clear_error(&dry->error);
    g_free(dry->osinfo);
    g_free(dry);
}

static void plan_dry(const ViommuOutcome *probed, void *userdata)
{
    Dry *dry = userdata;
    const ViommuHost *host = probed->host;
    g_autoptr(ViommuPlan) plan = NULL;
    g_autoptr(GPtrArray) reasons = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) report = NULL;
    ViommuPlanInput input = {.request = dry->request,
                             .host = host,
                             .policy = dry->room.policy,
                             .forward_modes = dry->permit.forward_modes,
                             .asker = &dry->permit.asker};
    ViommuOutcome outcome = {.error = probed->error};

    if (host && viommu_plan_build(&input, &plan, &reasons, &error)) {
        g_autofree char *xml = dry->brief ? NULL : viommu_domain_xml(plan, NULL);

        if (dry->osinfo)
            g_ptr_array_add(plan->notes, g_steal_pointer(&dry->osinfo));
        report = dry->brief ? NULL : g_variant_ref_sink(viommu_plan_report(plan, xml));
        outcome.report = report;
        outcome.model = plan->iommu.model;
    } else if (host) {
        outcome.error = error;
        outcome.reasons = reasons;
    }
    answer_dry(dry, &outcome);
}

/* A suggestion, which needs files of this host. */
static void ask_osinfo(Dry *dry)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(viommu_backend_root(dry->room.backend), NULL);

    if (root)
        dry->osinfo = viommu_osinfo_suggest(root, dry->request->guest.os);
}

static bool asks_osinfo(const Dry *dry)
{
    return !dry->brief && viommu_osinfo_is_asked(dry->request->guest.os);
}

static void learn_work(void *data)
{
    Dry *dry = data;

    /* the image may name the guest's distribution */
    if (dry->reader && !viommu_reader_open(dry->reader, &dry->error))
        return;
    if (asks_osinfo(dry))
        ask_osinfo(dry);
    if (viommu_permit_is_needed(&dry->permit, dry->request))
        (void)viommu_permit_learn(&dry->permit, dry->room.backend, dry->room.policy->site, dry->request,
                                  &dry->error);
}

static void learn_done(void *data)
{
    Dry *dry = data;
    ViommuOutcome outcome = {.error = dry->error};

    if (dry->error)
        answer_dry(dry, &outcome);
    else
        viommu_hostinfo_get(dry->room.hostinfo, plan_dry, dry);
}

/* The machine, which will not exist, has no UUID. */
static bool begin_reading(Dry *dry)
{
    const ViommuFilesMachine machine = {dry->permit.asker.uid, NULL, NULL};

    return !dry->request->image || viommu_reader_new(dry->room.readers, dry->room.files, dry->request,
                                                     &machine, &dry->reader, &dry->error);
}

void viommu_enquiry_plan(const ViommuEnquiryRoom *room, const ViommuEnquiry *enquiry,
                         const ViommuWaiter *waiter)
{
    Dry *dry = g_new0(Dry, 1);

    dry->room = *room;
    dry->request = enquiry->request;
    dry->permit.asker = enquiry->asker;
    dry->waiter = *waiter;
    dry->brief = enquiry->brief;
    if (!begin_reading(dry))
        learn_done(dry);
    else if (dry->reader || asks_osinfo(dry) || viommu_permit_is_needed(&dry->permit, dry->request))
        viommu_worker_run(room->worker, dry->permit.asker.uid, learn_work, learn_done, dry);
    else
        viommu_hostinfo_get(room->hostinfo, plan_dry, dry);
}

typedef struct Call {
    ViommuBackend *backend;
    char *uuid;
    ViommuWaiter waiter;
    ViommuEnquiryOrder order; /* NULL: the XML is wanted */
    char *xml;
    GError *error;
} Call;

static void order_work(void *data)
{
    Call *call = data;

    call->order(call->backend, call->uuid, &call->error);
}

static void xml_work(void *data)
{
    Call *call = data;

    call->xml = viommu_backend_get_xml(call->backend, call->uuid, &call->error);
}

static void call_done(void *data)
{
    Call *call = data;
    ViommuOutcome outcome = {.error = call->error, .xml = call->xml};

    viommu_waiter_answer(&call->waiter, &outcome);
    g_free(call->uuid);
    g_free(call->xml);
    g_clear_error(&call->error);
    g_free(call);
}

static Call *new_call(ViommuBackend *backend, const char *uuid, const ViommuWaiter *waiter)
{
    Call *call = g_new0(Call, 1);

    call->backend = backend;
    call->uuid = g_strdup(uuid);
    call->waiter = *waiter;
    return call;
}

void viommu_enquiry_xml(ViommuBackend *backend, ViommuWorker *worker, const ViommuMachine *machine,
                        const ViommuWaiter *waiter)
{
    viommu_worker_run(worker, machine->owner_uid, xml_work, call_done,
                      new_call(backend, machine->uuid, waiter));
}

void viommu_enquiry_order(ViommuBackend *backend, ViommuWorker *worker, const ViommuMachine *machine,
                          ViommuEnquiryOrder order, const ViommuWaiter *waiter)
{
    Call *call = new_call(backend, machine->uuid, waiter);

    call->order = order;
    viommu_worker_run(worker, machine->owner_uid, order_work, call_done, call);
}
