/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach: asks libvirt how a running guest is reached.  Does not know when. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"

/** Reads the @kinds, a set of ViommuReachKind, into @reach.  Blocks.  Fails: BACKEND; NOT_FOUND
 *  when the guest is gone.  What was read before that is in @reach. */
bool viommu_reach_read(ViommuBackend *backend, const char *uuid, uint64_t kinds, ViommuReach *reach,
                       GError **error);

/** On the loop; @reach may be taken. */
typedef void (*ViommuReachFunc)(const char *uuid, ViommuReach *reach, const GError *error, void *userdata);

/* All borrowed. */
typedef struct ViommuReachRoom {
    ViommuBackend *backend;
    ViommuWorker *calls;
} ViommuReachRoom;

/** The same in a worker; then @func is called. */
void viommu_reach_ask(const ViommuReachRoom *room, const ViommuMachine *machine, uint64_t kinds,
                      ViommuReachFunc func, void *userdata);
