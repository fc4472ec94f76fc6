/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-remove: the blocking work that every way of ending shares: it destroys and undefines the
 * domain, and deletes what else was made.  Knows libvirt through the backend; does not know why a
 * machine ends. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/worker.h"

/** Blocks: for a worker.  @copies: the directory of daemon/files/boot-copies.h.  What is not there
 *  any more is success.  *ret_strays, in words, owned: what the host has not got back of it
 *  (daemon/jobs/take-back.h); NULL: nothing is missing. Fails: BACKEND; INTERNAL. */
bool viommu_removal_run(ViommuBackend *backend, const char *copies, const char *uuid, char **ret_strays,
                        GError **error);

/* What is removed in a worker, and who hears of it. */
typedef struct ViommuRemovalOf {
    const char *uuid; /* copied */
    uint32_t owner_uid;
    /* On the loop; @error NULL: nothing is left; @strays as above. */
    void (*func)(const GError *error, const char *strays, void *userdata);
    void *userdata;
} ViommuRemovalOf;

/** The same in a thread of @worker.  @backend and @copies are borrowed until then.  Loop thread. */
void viommu_removal_begin(ViommuWorker *worker, ViommuBackend *backend, const char *copies,
                          const ViommuRemovalOf *of);
