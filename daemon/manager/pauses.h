/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pauses: which guests are paused, and why.  An event does not tell all of it, and may be older
 * than what is known, so libvirt is asked; the answer of a guest whose QEMU hangs delays nobody
 * else.  Loop thread. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/machines/registry.h"
#include "daemon/process/worker.h"

typedef struct ViommuPauses ViommuPauses;

/** All borrowed.  @calls: the worker that asks.  Owned. */
ViommuPauses *viommu_pauses_new(ViommuRegistry *registry, ViommuBackend *backend, ViommuWorker *calls);
/** No question may be under way: free the worker first. */
void viommu_pauses_free(ViommuPauses *pauses);

/** An event, or a listing, says that @machine is paused like this, or not. */
void viommu_pauses_take(ViommuPauses *pauses, ViommuMachine *machine, ViommuPause pause);
