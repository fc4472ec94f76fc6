/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* operations: the launch, the stop or the new lease that is under way for each machine, and those
 * who wait for it.  Does not know machines. */
#pragma once

#include <glib.h>
#include "daemon/jobs/lease-write.h"
#include "daemon/jobs/launch.h"
#include "daemon/machines/waiters.h"
#include "daemon/jobs/stop.h"

typedef struct ViommuOperation {
    char *uuid;
    ViommuLaunch *launch; /* one of the three is set; owned */
    ViommuStop *stop;
    ViommuExtension *extension;
    ViommuWaiters *launch_waiters;
    ViommuWaiters *stop_waiters; /* may be there during the others, which then end in the stop */
    ViommuWaiters *extend_waiters;
    uint32_t seconds; /* of the stop that comes after the extension */
    bool expired;     /* nobody asked for its end but the machine's lease */
    bool answered;    /* wait: planned, and it is */
    bool was_running; /* before the stop */
} ViommuOperation;

/** A table of UUID -> ViommuOperation, owned. */
GHashTable *viommu_operations_new(void);
/** Nothing must be under way for @uuid. Borrowed. */
ViommuOperation *viommu_operations_add(GHashTable *operations, const char *uuid);
/** Takes it out of the table: whoever is answered then sees the machine at rest. Owned. */
ViommuOperation *viommu_operations_take(GHashTable *operations, const char *uuid);
/** No one may be waiting any more. */
void viommu_operation_free(ViommuOperation *operation);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuOperation, viommu_operation_free)

/** Fails everybody who waits for anything. */
void viommu_operations_fail_all(GHashTable *operations, const GError *error);
/** Makes every stop come to an end now. */
void viommu_operations_hurry_all(GHashTable *operations);
