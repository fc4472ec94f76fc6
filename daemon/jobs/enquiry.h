/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enquiry: calls that are no job of a machine: the dry run of a plan, a domain's XML, an order to a
 * running guest.  Knows no bus. */
#pragma once

#include <glib.h>
#include "daemon/files/reader.h"
#include "daemon/libvirt/backend.h"
#include "daemon/machines/host-cache.h"
#include "daemon/machines/machine.h"
#include "daemon/machines/reply.h"
#include "daemon/jobs/permit.h"
#include "daemon/process/worker.h"
#include "lib/policy/asker.h"
#include "lib/policy/policy.h"
#include "lib/request/request.h"

/* A requested dry run. */
typedef struct ViommuEnquiry {
    ViommuRequest *request;
    ViommuAsker asker;
    bool brief; /* the outcome has the model only, no report and no XML */
} ViommuEnquiry;

/* What a dry run uses; all borrowed. */
typedef struct ViommuEnquiryRoom {
    ViommuBackend *backend;
    ViommuWorker *worker;
    ViommuHostinfo *hostinfo;
    const ViommuPolicy *policy;
    const ViommuFilesSite *files;
    ViommuReaders *readers;
} ViommuEnquiryRoom;

/** Takes the request of @enquiry.  Creates nothing. */
void viommu_enquiry_plan(const ViommuEnquiryRoom *room, const ViommuEnquiry *enquiry,
                         const ViommuWaiter *waiter);
void viommu_enquiry_xml(ViommuBackend *backend, ViommuWorker *worker, const ViommuMachine *machine,
                        const ViommuWaiter *waiter);
/** An order of the backend. */
typedef bool (*ViommuEnquiryOrder)(ViommuBackend *backend, const char *uuid, GError **error);
/** Gives @order to the guest of @machine. */
void viommu_enquiry_order(ViommuBackend *backend, ViommuWorker *worker, const ViommuMachine *machine,
                          ViommuEnquiryOrder order, const ViommuWaiter *waiter);
