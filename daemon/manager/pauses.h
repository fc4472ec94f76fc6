/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pauses: which guests are paused, and why.  An event does not tell all of it, and may be older
 * than what is known, so libvirt is asked; a QEMU that hangs delays nobody but its owner.  The
 * owner of a QEMU can make libvirt report pauses without end, so a machine's state changes a few
 * times a second at most.  Loop thread. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/machines/reply.h"
#include "daemon/machines/registry.h"
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"

typedef struct ViommuPauses ViommuPauses;

/* After an answer, a machine is not asked about again before this time. */
#define VIOMMU_PAUSES_REST_USEC (G_USEC_PER_SEC / 5)

/* All borrowed.  @calls: the worker that asks. */
typedef struct ViommuPausesContext {
    ViommuLoop *loop;
    ViommuWorker *calls;
    ViommuBackend *backend;
    ViommuRegistry *registry;
} ViommuPausesContext;

/** Owned. */
ViommuPauses *viommu_pauses_new(const ViommuPausesContext *context);
/** No question may be under way: free the worker first. */
void viommu_pauses_free(ViommuPauses *pauses);

/** An event, or a listing, says that @machine is paused like this, or not. */
void viommu_pauses_take(ViommuPauses *pauses, const ViommuMachine *machine, ViommuPause pause);
/** The same, after a call of viommud's own: @waiter is answered when the machine's state is what
 *  the next answer says. */
void viommu_pauses_settle(ViommuPauses *pauses, const ViommuMachine *machine, ViommuPause pause,
                          const ViommuWaiter *waiter);
/** Answers all that wait; the daemon ends. */
void viommu_pauses_fail_all(ViommuPauses *pauses, const GError *error);
