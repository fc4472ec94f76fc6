/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: takes one launch through open, digest, probe, prove, plan, define, prepare, start and
 * mark, or undoes it.  Knows the backend and the planner; asks admission for room beside other
 * machines.  Does not know clients or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/machines/admission.h"
#include "daemon/libvirt/backend.h"
#include "daemon/machines/host-cache.h"
#include "daemon/machines/lease-rules.h"
#include "daemon/files/reader.h"
#include "daemon/process/worker.h"
#include "lib/policy/asker.h"
#include "lib/machine/lifecycle.h"
#include "lib/machine/reach.h"
#include "lib/domain/metadata.h"
#include "lib/policy/policy.h"
#include "lib/request/request.h"

typedef struct ViommuLaunch ViommuLaunch;

/* A launch that was given up has returned from the call that hung; @clean: nothing of it is
 * left. */
typedef void (*ViommuCameBackFunc)(const char *uuid, uint32_t owner_uid, bool clean, void *userdata);

/* The parts that a launch uses; all borrowed. */
typedef struct ViommuLaunchContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    ViommuWorker *launches;
    ViommuWorker *ends; /* for undoing */
    ViommuHostinfo *hostinfo;
    const ViommuPolicy *policy;
    /* told of a launch that hangs by viommu_admission_hang(), and by @came_back of its return */
    ViommuAdmission *admission;
    const ViommuFilesSite *files;
    ViommuReaders *readers;
    uint32_t timeout_sec;
    ViommuCameBackFunc came_back; /* gets the userdata of the launch */
} ViommuLaunchContext;

/* The identity of the new machine; copied. */
typedef struct ViommuLaunchIdentity {
    const char *name;
    const char *uuid;
    ViommuAsker asker; /* its owner */
    uint64_t created_usec;
    const char *client; /* bus and connection that it is bound to; NULL: none */
    const ViommuLease *lease;
} ViommuLaunchIdentity;

/** Called on the loop with PLANNED (again for each candidate that libvirt refuses), DEFINED and
 *  finally STARTED; or with LAUNCH_FAILED at any point, when everything is undone, or when the undo
 *  takes too long (viommu_launch_left_something()).  After STARTED or LAUNCH_FAILED the receiver
 *  frees @launch. */
typedef void (*ViommuLaunchFunc)(ViommuLaunch *launch, ViommuEvent event, void *userdata);

/** Takes @request. Owned. */
ViommuLaunch *viommu_launch_new(const ViommuLaunchContext *context, ViommuRequest *request,
                                const ViommuLaunchIdentity *identity, ViommuLaunchFunc func, void *userdata);
/** A step that hangs goes on without a receiver, and its result is undone when it returns. */
void viommu_launch_free(ViommuLaunch *launch);
/** @func may be called, and @launch freed, before this returns. */
void viommu_launch_begin(ViommuLaunch *launch);
/** Ends a launch that has not begun with LAUNCH_FAILED and @error, before this returns. */
void viommu_launch_abandon(ViommuLaunch *launch, const GError *error);
/** Undoes the launch after its present step, or beside a step that takes long; ends with
 *  LAUNCH_FAILED. */
void viommu_launch_cancel(ViommuLaunch *launch);

const char *viommu_launch_uuid(const ViommuLaunch *launch);
const ViommuRequest *viommu_launch_request(const ViommuLaunch *launch);
/** The machine's metadata; from PLANNED on. */
const ViommuMetadata *viommu_launch_metadata(const ViommuLaunch *launch);
/** With STARTED: a warning about the start, which is in the metadata, too, but not among the
 *  plan's; NULL: none. */
const char *viommu_launch_late_warning(const ViommuLaunch *launch);
/** With STARTED: how the guest is reached, as far as that is known by then; may be taken. */
ViommuReach *viommu_launch_reach(ViommuLaunch *launch);
/** Whether the launch has failed and its undo could not remove everything. */
bool viommu_launch_left_something(const ViommuLaunch *launch);
/** Set with LAUNCH_FAILED. */
const GError *viommu_launch_error(const ViommuLaunch *launch);
/** All reasons against the request, of ViommuReason; NULL when the planner did not refuse. */
const GPtrArray *viommu_launch_reasons(const ViommuLaunch *launch);
