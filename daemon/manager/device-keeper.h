/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-keeper: attaches devices to machines that run, and detaches them; a machine has one such
 * change at a time.  Keeps the record in the metadata as what the guest has: a guest may give back
 * a device by itself, or late, and after viommud or libvirt was away its XML tells what it has.
 * Does not know how a device is judged.  Loop thread. */
#pragma once

#include "daemon/jobs/attach.h"
#include "daemon/machines/reply.h"
#include "daemon/process/loop.h"

typedef struct ViommuDeviceKeeper ViommuDeviceKeeper;

/* How long a detach waits for the guest: its kernel takes five seconds for a root port, and more
 * under emulation. */
#define VIOMMU_DETACH_SEC 30u

typedef struct ViommuDeviceKeeperContext {
    ViommuLoop *loop; /* borrowed */
    unsigned detach_sec;
    ViommuAttachContext attach;
} ViommuDeviceKeeperContext;

/** Owned. */
ViommuDeviceKeeper *viommu_device_keeper_new(const ViommuDeviceKeeperContext *context);
/** Free the workers first. */
void viommu_device_keeper_free(ViommuDeviceKeeper *keeper);

/** Takes the descriptors of @order.  The outcome has the id.  Fails: as a plan and libvirt fail;
 *  BUSY, when the machine does not run, when another change is under way, and when there is no
 *  free port. */
void viommu_device_keeper_attach(ViommuDeviceKeeper *keeper, const ViommuMachine *machine,
                                 const ViommuAttachOrder *order, const ViommuWaiter *waiter);
/** Fails: NOT_FOUND, when the machine has no such attached device; BUSY as above, and when the
 *  guest does not give it back in time. */
void viommu_device_keeper_detach(ViommuDeviceKeeper *keeper, ViommuMachine *machine, const char *id,
                                 const ViommuWaiter *waiter);
/** The guest of @machine does not have the device with @alias any more, or keeps it. */
void viommu_device_keeper_removed(ViommuDeviceKeeper *keeper, ViommuMachine *machine, const char *alias);
void viommu_device_keeper_kept(ViommuDeviceKeeper *keeper, const ViommuMachine *machine, const char *alias);
/** The connection to libvirt is new: events may have been lost. */
void viommu_device_keeper_doubt(ViommuDeviceKeeper *keeper);
/** Looks at the guests with attached devices that it has not looked at since. */
void viommu_device_keeper_look(ViommuDeviceKeeper *keeper);
/** Answers all that wait; the daemon ends. */
void viommu_device_keeper_fail_all(ViommuDeviceKeeper *keeper, const GError *error);
