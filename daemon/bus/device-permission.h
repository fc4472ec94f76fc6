/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-permission: asks polkit about each device of a launch that the site does not list: once,
 * one after the other, with the device's properties.  After each answer the call returns to the
 * queue and is judged again, until no question is left; a refusal ends it.  Only a device by
 * address can be granted, and a grant is for that launch, the device that polkit was told of, and
 * its driver at that time.  polkit is also asked about an address without a device, so that a
 * refusal reveals nothing of the host.  Knows polkit and the user database; the planner judges. */
#pragma once

#include "daemon/bus/polkit-share.h"
#include "daemon/bus/auth.h"
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"

typedef struct ViommuAuthDevices ViommuAuthDevices;

/** @loop and @accounts as in ViommuAuthContext. Owned. */
ViommuAuthDevices *viommu_auth_devices_new(ViommuLoop *loop, ViommuWorker *accounts);
void viommu_auth_devices_free(ViommuAuthDevices *devices);
/** Like viommu_auth_ask_devices(); @share: the pending questions.  Fails: BUSY, unless @call has
 *  one of them. */
ViommuAuthAnswer viommu_auth_devices_ask(ViommuAuthDevices *devices, sd_bus_message *call,
                                         const ViommuAuthLaunch *launch, const ViommuAuthShare *share,
                                         ViommuAsker *asker, GError **error);
/** Adds to @share, for @uid, the calls with pending questions. */
void viommu_auth_devices_count(const ViommuAuthDevices *devices, uid_t uid, ViommuAuthShare *share);
/** Whether @call has pending or answered questions. */
bool viommu_auth_devices_know(const ViommuAuthDevices *devices, const sd_bus_message *call);
/** @call has ended: forgets its questions. */
void viommu_auth_devices_forget(ViommuAuthDevices *devices, sd_bus_message *call);
