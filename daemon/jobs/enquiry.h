/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enquiry: calls that do not change a machine's state: the dry run of a plan, a domain's XML, a
 * reset.  Knows no bus. */
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
void viommu_enquiry_reset(ViommuBackend *backend, ViommuWorker *worker, const ViommuMachine *machine,
                          const ViommuWaiter *waiter);
