/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-remove: the blocking work at the end of each machine: it destroys and undefines the
 * domain, and deletes everything else that was made.  Knows libvirt through the backend; does not
 * know why a machine ends. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/worker.h"

/** Blocks: for a worker.  @copies: the directory of daemon/files/boot-copies.h.  What is already
 *  gone is success.  *ret_strays, text, owned: the devices that the host has not got back
 *  (daemon/jobs/take-back.h); NULL: none.  Fails: BACKEND; INTERNAL. */
bool viommu_removal_run(ViommuBackend *backend, const char *copies, const char *uuid, char **ret_strays,
                        GError **error);

/* What a worker removes, and the function that is called then. */
typedef struct ViommuRemovalOf {
    const char *uuid; /* copied */
    uint32_t owner_uid;
    /* On the loop; @error NULL: nothing is left; @strays as above. */
    void (*func)(const GError *error, const char *strays, void *userdata);
    void *userdata;
} ViommuRemovalOf;

/** The same in a thread of @worker.  @backend and @copies are borrowed until @func is called.  Loop
 *  thread. */
void viommu_removal_begin(ViommuWorker *worker, ViommuBackend *backend, const char *copies,
                          const ViommuRemovalOf *of);
