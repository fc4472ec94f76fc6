/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* locked-memory: reads how much memory a started QEMU may really lock.  Knows the backend and
 * /proc; does not know launches. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "lib/plan/plan.h"

/** A warning when machine @uuid may lock less than @plan has; NULL: it may lock enough, or its
 *  limit is not visible.  Blocks.  Owned. */
char *viommu_locked_look(ViommuBackend *backend, const ViommuPlan *plan, const char *uuid);
