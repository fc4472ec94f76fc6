/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manager-parts: what the files of the manager share among themselves; nobody else includes this.
 *   manager.c        beginning and end, launches, news
 *   manager-stop.c   stops and leases */
#pragma once

#include "daemon/admission.h"
#include "daemon/leases.h"
#include "daemon/manager.h"
#include "daemon/operations.h"
#include "daemon/settle.h"

struct ViommuManager {
    ViommuManagerContext context;
    ViommuHostinfo *hostinfo;
    ViommuRegistry *registry;
    ViommuSettle *settle;
    GHashTable *operations; /* UUID -> ViommuOperation, owned */
    ViommuAdmission *admission;
    ViommuLeases *leases;
    bool admitting; /* somebody further up does it */

    bool connected;
    ViommuLoopFunc connection_func;
    void *connection_data;

    sd_event_source *patience; /* with adoption, and with the end */
    ViommuLoopFunc adopted;    /* NULL: nobody waits for the adoption */
    void *adopted_data;
    unsigned adopting;                            /* parts of the adoption under way */
    void (*ended)(bool finished, void *userdata); /* set: no more launches */
    void *ended_data;
    bool over; /* ended was called */
};

/** Fails: BUSY. */
bool viommu_manager_check_not_ending(const ViommuManager *manager, GError **error);
/** An operation has ended; maybe the daemon waited for it. */
void viommu_manager_check_end(ViommuManager *manager);
/** A listing brought machines, perhaps with leases; a ViommuLoopFunc. */
void viommu_manager_settled(void *manager);
/** A ViommuLeaseFunc. */
void viommu_manager_lease_ended(ViommuMachine *machine, void *manager);
