/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing: answers about all machines that the caller may know of, made by slices.  Machines come,
 * go and change while such an answer is made.  A machine that goes before its part was made is not
 * in the answer, and one that comes is; what happens to a machine whose part was made is told to
 * the caller again behind the answer, by the signals that all have had before it.  So the answer
 * and the signals behind it are always right.  Loop thread. */
#pragma once

#include "daemon/bus/bus.h"

typedef enum ViommuBusListKind {
    VIOMMU_BUS_LIST_OBJECTS,  /* GetManagedObjects */
    VIOMMU_BUS_LIST_MACHINES, /* ListMachines */
    VIOMMU_BUS_LIST_USAGE,    /* GetUsage, for viommu_bus_list_usage() */
    VIOMMU_BUS_LIST_LAST,
} ViommuBusListKind;

/** Answers @call.  Negative: an error of sd-bus. */
int viommu_bus_list(ViommuBus *bus, sd_bus_message *call, ViommuBusListKind kind);
/** Answers GetUsage; a ViommuBusStartFunc. */
void viommu_bus_list_usage(ViommuBus *bus, sd_bus_message *call, const ViommuOutcome *outcome);

/* What happens to @machine, before others are told; @listing: the one that is being made, or
 * NULL. */

void viommu_bus_listing_added(ViommuBusListing *listing, const ViommuMachine *machine);
/** @changes: of ViommuMachineChange. */
void viommu_bus_listing_changed(ViommuBusListing *listing, const ViommuMachine *machine, unsigned changes);
/** @path: of the machine. */
void viommu_bus_listing_removed(ViommuBusListing *listing, const ViommuMachine *machine, const char *path);
