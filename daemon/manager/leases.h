/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leases: sets one timer for the machine whose lease ends first.  Does not know what follows. */
#pragma once

#include <glib.h>
#include "daemon/process/loop.h"
#include "daemon/machines/registry.h"

typedef struct ViommuLeases ViommuLeases;

/** The lease of @machine has ended.  While the machine is there it is told again, every few
 *  seconds. */
typedef void (*ViommuLeaseFunc)(ViommuMachine *machine, void *userdata);

/** @loop and @registry are borrowed. Owned. */
ViommuLeases *viommu_leases_new(ViommuLoop *loop, ViommuRegistry *registry, ViommuLeaseFunc func,
                                void *userdata);
void viommu_leases_free(ViommuLeases *leases);

/** @machine has a lease, or none, that was not there before or ends at another time. */
void viommu_leases_watch(ViommuLeases *leases, const ViommuMachine *machine);
/** Its lease ends now; it is told only if it is still there after a while, as the caller does what
 *  follows. */
void viommu_leases_end(ViommuLeases *leases, ViommuMachine *machine);
/** The same as watching of all machines. */
void viommu_leases_watch_all(ViommuLeases *leases);
