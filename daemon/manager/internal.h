/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal: what the files of the manager share; no other file includes this.
 *   manager.c   beginning and end, news, and calls that other modules answer
 *   launches.c  launches
 *   endings.c   stops and leases */
#pragma once

#include "daemon/machines/admission.h"
#include "daemon/machines/job.h"
#include "daemon/manager/adoption.h"
#include "daemon/manager/console-keeper.h"
#include "daemon/manager/device-keeper.h"
#include "daemon/manager/evictions.h"
#include "daemon/manager/leases.h"
#include "daemon/manager/manager.h"
#include "daemon/manager/reach-keeper.h"
#include "daemon/manager/readiness.h"
#include "daemon/manager/reconcile.h"
#include "daemon/manager/usage-keeper.h"
#include "daemon/manager/verifier.h"

struct ViommuManager {
    ViommuManagerContext context;
    ViommuHostinfo *hostinfo;
    ViommuRegistry *registry;
    ViommuLedger *ledger;
    ViommuRemains *remains;
    ViommuSettle *settle;
    ViommuPauses *pauses;
    ViommuAdoption *adoption;
    ViommuConsoleKeeper *consoles;
    ViommuVerifier *verifier;
    ViommuReadiness *readiness;
    ViommuExecKeeper *execs;
    ViommuReachKeeper *reach;
    ViommuUsageKeeper *usage;
    ViommuDeviceKeeper *devices;
    ViommuAdmission *admission;
    ViommuLeases *leases;
    ViommuEvictions *evictions;
    bool admitting; /* admit() is running: callbacks of the launches must not call it again */

    bool connected;
    sd_event_source *look_again; /* NULL: not needed yet */
    unsigned looks;              /* since libvirt is connected */
    ViommuLoopFunc connection_func;
    void *connection_data;

    sd_event_source *timeout;                     /* limits the end */
    void (*ended)(bool finished, void *userdata); /* set: the daemon ends, no more launches */
    void *ended_data;
    bool over; /* ended() was called */
};

/** Fails: BUSY. */
bool viommu_manager_check_not_ending(const ViommuManager *manager, GError **error);
/** A job has ended: finishes the daemon's end if it waited for this job. */
void viommu_manager_check_end(ViommuManager *manager);
/** A listing is done and may have added machines with leases; a ViommuOutcomeFunc. */
void viommu_manager_settled(const ViommuOutcome *unused, void *manager);
/** Ends the stop of @machine that is under way, or comes next, at once. */
void viommu_manager_hurry(ViommuMachine *machine, void *manager);
/** A ViommuLeaseFunc. */
void viommu_manager_lease_ended(ViommuMachine *machine, void *manager);
