/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit: asks polkit whether a caller may manage a machine of another user, or may assign a device
 * that the site does not list, and puts polkit's answer into words.  Does not know what follows
 * from it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "daemon/machines/machine.h"

#define VIOMMU_POLKIT_MANAGE_ALL    "org.viommu1.manage-all"
#define VIOMMU_POLKIT_ASSIGN_DEVICE "org.viommu1.assign-device"

/* What polkit's rules and its message are told of a device, and for which machine.  All
 * borrowed. */
typedef struct ViommuPolkitDevice {
    const char *machine; /* its name; NULL: it has none yet */
    uint32_t owner_uid;
    const char *address, *vendor, *device, *driver; /* in words, also where they are not known */
} ViommuPolkitDevice;

/** Asks about the sender of @call, with the machine's name and owner, and what is to be done, for
 *  polkit's rules and its message.  @handler gets the answer, unless *ret_slot is unreferenced
 *  before.  Below 0 as sd-bus returns it. */
int viommu_polkit_ask(sd_bus_message *call, const ViommuMachine *machine, sd_bus_message_handler_t handler,
                      void *userdata, sd_bus_slot **ret_slot);
/** The same about a device, for a machine that is not there yet. */
int viommu_polkit_ask_device(sd_bus_message *call, const ViommuPolkitDevice *device,
                             sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot);
/** Whether @answer is yes.  @interactive: as the caller allowed.  Fails: POLICY_REFUSED, saying
 *  what polkit said. */
bool viommu_polkit_read(sd_bus_message *answer, bool interactive, GError **error);
