/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* internal: what the files of the manager share; no other file includes this.
 *   manager.c   beginning and end, launches, news
 *   endings.c   stops and leases
 *   consoles.c  consoles and their logs
 *   verifier.c  proofs from inside */
#pragma once

#include "daemon/machines/admission.h"
#include "daemon/machines/agent-trust.h"
#include "daemon/machines/job.h"
#include "daemon/manager/adoption.h"
#include "daemon/manager/leases.h"
#include "daemon/manager/manager.h"
#include "daemon/manager/reconcile.h"

struct ViommuManager {
    ViommuManagerContext context;
    ViommuHostinfo *hostinfo;
    ViommuRegistry *registry;
    ViommuLedger *ledger;
    ViommuRemains *remains;
    ViommuSettle *settle;
    ViommuAdoption *adoption;
    ViommuAdmission *admission;
    ViommuAgents *agents;
    GHashTable *verifications; /* UUID -> what verifier.c has of it, owned */
    ViommuLeases *leases;
    bool admitting; /* somebody further up does it */

    bool has_consoles; /* libvirt gives guests consoles, and they are read */
    bool sweeping;     /* their logs */
    unsigned looks;
    sd_event_source *look; /* after consoles that are not open */

    bool connected;
    ViommuLoopFunc connection_func;
    void *connection_data;

    sd_event_source *timeout;                     /* with the end */
    void (*ended)(bool finished, void *userdata); /* set: no more launches */
    void *ended_data;
    bool over; /* ended was called */
};

/** Fails: BUSY. */
bool viommu_manager_check_not_ending(const ViommuManager *manager, GError **error);
/** A job has ended; maybe the daemon waited for it. */
void viommu_manager_check_end(ViommuManager *manager);
/** A listing brought machines, perhaps with leases; a ViommuOutcomeFunc. */
void viommu_manager_settled(const ViommuOutcome *unused, void *manager);
/** A ViommuLeaseFunc. */
void viommu_manager_lease_ended(ViommuMachine *machine, void *manager);

void viommu_manager_verify_init(ViommuManager *manager);
/** The launch of @machine, which runs, is to end with its proof: @waiters hear of it, and without
 *  it the machine goes.  Nobody waits in @waiters any more. */
void viommu_manager_verify_launch(ViommuManager *manager, ViommuMachine *machine, ViommuWaiters *waiters);
/** The same for @waiter, whose request was sent before. */
void viommu_manager_verify_again(ViommuManager *manager, const ViommuMachine *machine,
                                 const ViommuWaiter *waiter);
/** The daemon ends: all who wait for proofs are told. */
void viommu_manager_fail_verifications(ViommuManager *manager, const GError *error);

/** Consoles are read from now on. */
void viommu_manager_use_consoles(ViommuManager *manager);
/** Decides where @machine's console is logged. */
void viommu_manager_name_console(ViommuManager *manager, ViommuMachine *machine);
/** Opens those of running machines that are not open. */
void viommu_manager_look_after_consoles(ViommuManager *manager);
/** Deletes logs of machines that are gone. */
void viommu_manager_sweep_console_logs(ViommuManager *manager);
/** @error with the last lines of @machine's console. Owned. */
GError *viommu_manager_with_tail(ViommuMachine *machine, const GError *error);
/** The guest of @machine has ended, as @news tells, before the machine changes; unless somebody
 *  wanted it to end, why is noted. */
void viommu_manager_console_ends(ViommuManager *manager, ViommuMachine *machine, const ViommuNews *news);
