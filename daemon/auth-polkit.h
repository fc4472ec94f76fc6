/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth-polkit: the question to polkit whether a caller may manage a machine that is not its own, and polkit's answer in words.
 * Does not know what follows from it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "daemon/machine.h"

#define VIOMMU_POLKIT_MANAGE_ALL "org.viommu1.manage-all"

/** Asks about the sender of @call, with the machine's name and owner, and what is to be done, for polkit's rules and its
 *  message.  @handler gets the answer, unless
 *  *ret_slot is unreferenced before.  Below 0 as sd-bus returns it. */
int viommu_polkit_ask(sd_bus_message *call, const ViommuMachine *machine, sd_bus_message_handler_t handler,
                      void *userdata, sd_bus_slot **ret_slot);
/** Whether @answer is yes.  @interactive: as the caller allowed.  Fails: POLICY_REFUSED, saying what polkit said. */
bool viommu_polkit_read(sd_bus_message *answer, bool interactive, GError **error);
