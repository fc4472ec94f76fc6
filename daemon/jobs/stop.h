/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop: ends one machine: marks it, asks the guest, waits for it, removes it.  A guest or a QEMU
 * that never responds does not delay the removal.  Knows the backend; does not know other machines,
 * clients or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/loop.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"

typedef struct ViommuStop ViommuStop;

/* What a stop uses; all borrowed. */
typedef struct ViommuStopContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    ViommuWorker *ends;
    ViommuWorker *calls; /* for the question to the guest, which may never return */
    const char *copies;  /* directory of daemon/files/boot-copies.h */
} ViommuStopContext;

/** Called on the loop, once; @error NULL: nothing is left of the machine.  The receiver frees
 *  @stop. */
typedef void (*ViommuStopFunc)(ViommuStop *stop, const GError *error, void *userdata);

/** Copies what it needs of @machine.  @seconds: how long the guest may take to power off; 0: not at
 *  all.  Begins at once.  Owned. */
ViommuStop *viommu_stop_new(const ViommuStopContext *context, const ViommuMachine *machine, uint32_t seconds,
                            ViommuStopFunc func, void *userdata);
/** Not during the removal: before @func was called, only when the workers are gone. */
void viommu_stop_free(ViommuStop *stop);
/** Ends the waiting: the guest has ended, or a caller does not want to wait. */
void viommu_stop_hurry(ViommuStop *stop);
const char *viommu_stop_uuid(const ViommuStop *stop);
/** The devices that the host has not got back, as text; NULL: none.  Call it when the stop has
 *  ended. */
const char *viommu_stop_strays(const ViommuStop *stop);
