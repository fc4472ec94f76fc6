/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-permission: what a launch asks for beyond the devices that its site lists, polkit is asked
 * for: each device once, one after the other, with what is known of it.  With each answer the call
 * goes back into the queue and is judged anew, until nothing is left to ask; a no ends it.
 *
 * Only an address can be granted, and a grant is for that launch, and for the device that polkit
 * was told of, with that driver.  An address where there is nothing is asked for as well, so that
 * who is refused learns nothing of the host.  Knows polkit and the user database; does not know
 * what follows from an answer: the planner judges. */
#pragma once

#include "daemon/bus/polkit-share.h"
#include "daemon/bus/auth.h"
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"

typedef struct ViommuAuthDevices ViommuAuthDevices;

/** @loop and @accounts as in ViommuAuthContext. Owned. */
ViommuAuthDevices *viommu_auth_devices_new(ViommuLoop *loop, ViommuWorker *accounts);
void viommu_auth_devices_free(ViommuAuthDevices *devices);
/** As viommu_auth_ask_devices(); @share: the questions that wait.  Fails: BUSY, unless @call has
 *  one of them. */
ViommuAuthAnswer viommu_auth_devices_ask(ViommuAuthDevices *devices, sd_bus_message *call,
                                         const ViommuAuthLaunch *launch, const ViommuAuthShare *share,
                                         ViommuAsker *asker, GError **error);
/** Adds to @share, for @uid, the calls whose questions wait for answers. */
void viommu_auth_devices_count(const ViommuAuthDevices *devices, uid_t uid, ViommuAuthShare *share);
/** Whether @call has questions that wait, or were answered. */
bool viommu_auth_devices_know(const ViommuAuthDevices *devices, const sd_bus_message *call);
/** @call comes to nothing. */
void viommu_auth_devices_forget(ViommuAuthDevices *devices, sd_bus_message *call);
