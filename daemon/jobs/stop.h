/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stop: ends one machine: marks it, asks the guest, waits for it, removes it.  A guest or a QEMU
 * that never answers does not delay the removal.  Knows the backend; does not know other machines,
 * clients or the bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/loop.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"

typedef struct ViommuStop ViommuStop;

/* What a stop works with; all borrowed. */
typedef struct ViommuStopContext {
    ViommuLoop *loop;
    ViommuBackend *backend;
    ViommuWorker *ends;
    ViommuWorker *calls; /* for asking the guest, which may never come back */
    const char *copies;  /* directory of daemon/files/boot-copies.h */
} ViommuStopContext;

/** Called on the loop, once: @error NULL when nothing is left of the machine.  The receiver frees
 *  @stop. */
typedef void (*ViommuStopFunc)(ViommuStop *stop, const GError *error, void *userdata);

/** Copies what it needs of @machine.  @seconds for the guest to end in an orderly way; 0: none.
 *  Begins at once. Owned. */
ViommuStop *viommu_stop_new(const ViommuStopContext *context, const ViommuMachine *machine, uint32_t seconds,
                            ViommuStopFunc func, void *userdata);
/** Not while it removes: before @func was called only when the workers are gone. */
void viommu_stop_free(ViommuStop *stop);
/** No more waiting: the guest has ended, or somebody is in a hurry. */
void viommu_stop_hurry(ViommuStop *stop);
const char *viommu_stop_uuid(const ViommuStop *stop);
/** What the host has not got back, in words; NULL: nothing is missing.  When it has ended. */
const char *viommu_stop_strays(const ViommuStop *stop);
