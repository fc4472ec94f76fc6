/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit: asks polkit whether a caller may manage a machine of another user, or assign a device
 * that the site does not list, and explains polkit's refusal. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "daemon/machines/machine.h"

#define VIOMMU_POLKIT_MANAGE_ALL    "org.viommu1.manage-all"
#define VIOMMU_POLKIT_ASSIGN_DEVICE "org.viommu1.assign-device"

/* The details of a device for polkit's rules and message, and the machine.  All borrowed. */
typedef struct ViommuPolkitDevice {
    const char *machine; /* the machine's name; NULL: it has none yet */
    uint32_t owner_uid;
    const char *address, *vendor, *device, *driver; /* as text, also when unknown */
} ViommuPolkitDevice;

/** Asks about the sender of @call, with the machine's name and owner and the operation, for
 *  polkit's rules and its message.  @handler gets the reply, unless *ret_slot is unreferenced
 *  first.  Negative: an error of sd-bus. */
int viommu_polkit_ask(sd_bus_message *call, const ViommuMachine *machine, sd_bus_message_handler_t handler,
                      void *userdata, sd_bus_slot **ret_slot);
/** The same about a device, for a machine that does not exist yet. */
int viommu_polkit_ask_device(sd_bus_message *call, const ViommuPolkitDevice *device,
                             sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot);
/** Whether @answer grants it.  @interactive: whether the call allows it.  Fails: POLICY_REFUSED,
 *  with polkit's reason. */
bool viommu_polkit_read(sd_bus_message *answer, bool interactive, GError **error);
