/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leftover-copies: removes copies of kernels and initrds that no machine boots any more, because
 * their guest has ended or their domain is gone.  Knows libvirt's domains as values; launches and
 * stops remove their own copies. */
#pragma once

#include <glib.h>
#include "daemon/files/copies-ledger.h"
#include "daemon/machines/registry.h"
#include "daemon/process/worker.h"

typedef struct ViommuRemains ViommuRemains;

/** All borrowed.  @directory: of daemon/files/boot-copies.h. Owned. */
ViommuRemains *viommu_remains_new(ViommuRegistry *registry, ViommuLedger *ledger, ViommuWorker *worker,
                                  const char *directory);
/** Free the worker first. */
void viommu_remains_free(ViommuRemains *remains);

/** The guest of @uuid has ended, or its domain is gone: a worker removes its copies, if there are
 *  any. */
void viommu_remains_remove(ViommuRemains *remains, const char *uuid);
/** Compares the ledger with @copies, from viommu_copies_list() before @domains (of ViommuDomain)
 *  were listed, and removes useless copies.  Call it after the registry knows the domains. */
void viommu_remains_settle(ViommuRemains *remains, GHashTable *copies, const GPtrArray *domains);
