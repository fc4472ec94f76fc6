/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach-keeper: when libvirt is asked how guests are reached.  What is not known after the start is
 * asked soon, and then ever less often: a guest gets its address while it boots.  Known addresses
 * are asked again from time to time.  Loop thread. */
#pragma once

#include "daemon/jobs/reach.h"
#include "daemon/machines/registry.h"
#include "daemon/process/loop.h"

typedef struct ViommuReachKeeper ViommuReachKeeper;

/** @loop, @registry, and what is in @room are borrowed.  Owned. */
ViommuReachKeeper *viommu_reach_keeper_new(ViommuLoop *loop, ViommuRegistry *registry,
                                           const ViommuReachRoom *room);
/** After the workers. */
void viommu_reach_keeper_free(ViommuReachKeeper *keeper);

/** @machine runs, and libvirt is asked in a moment; nothing else happens when it is known how it is
 *  reached, or when libvirt is asked already. */
void viommu_reach_keeper_watch(ViommuReachKeeper *keeper, const ViommuMachine *machine);
/** @machine does not run any more; a guest that is started later is asked anew. */
void viommu_reach_keeper_forget(ViommuReachKeeper *keeper, const ViommuMachine *machine);
/** All machines that run. */
void viommu_reach_keeper_watch_all(ViommuReachKeeper *keeper);
