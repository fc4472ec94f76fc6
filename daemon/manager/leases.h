/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leases: sets one timer, for the lease that ends first.  Does not know how a machine is ended. */
#pragma once

#include <glib.h>
#include "daemon/process/loop.h"
#include "daemon/machines/registry.h"

typedef struct ViommuLeases ViommuLeases;

/** The lease of @machine has ended.  Called again every few seconds while the machine exists. */
typedef void (*ViommuLeaseFunc)(ViommuMachine *machine, void *userdata);

/** @loop and @registry are borrowed. Owned. */
ViommuLeases *viommu_leases_new(ViommuLoop *loop, ViommuRegistry *registry, ViommuLeaseFunc func,
                                void *userdata);
void viommu_leases_free(ViommuLeases *leases);

/** The lease of @machine was set, removed or moved. */
void viommu_leases_watch(ViommuLeases *leases, const ViommuMachine *machine);
/** Ends the lease of @machine now.  The caller ends the machine; the function is called only if the
 *  machine still exists after a while. */
void viommu_leases_end(ViommuLeases *leases, ViommuMachine *machine);
/** Watches all machines. */
void viommu_leases_watch_all(ViommuLeases *leases);
