/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-signals: a machine as an object of the bus, and the signals that tell of it.  Loop
 * thread. */
#pragma once

#include "daemon/bus/bus.h"

#define OBJECT_MANAGER "org.freedesktop.DBus.ObjectManager"

/** Appends "oa{sa{sv}}": the path of @machine and its properties, @all or those that every user may
 *  read.  Negative: an error of sd-bus. */
int viommu_bus_append_machine(sd_bus_message *message, const ViommuMachine *machine, bool all);
/** From now on all who may know of a machine are told of what happens to it. */
void viommu_bus_watch_machines(ViommuBus *bus);

/* The same signals for the connection @to alone. */

void viommu_bus_tell_added(ViommuBus *bus, const ViommuMachine *machine, const char *to);
/** @changes: of ViommuMachineChange. */
void viommu_bus_tell_changed(ViommuBus *bus, const ViommuMachine *machine, unsigned changes, const char *to);
void viommu_bus_tell_removed(ViommuBus *bus, const char *path, const char *to);
