/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* locked-memory: reads how much memory a started QEMU may really lock.  Knows the backend and
 * /proc; does not know launches. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "lib/plan/plan.h"

/** A warning when it is less than @plan has for machine @uuid; NULL: it is not, or cannot be seen
 *  from here.  Blocks.  Owned. */
char *viommu_locked_look(ViommuBackend *backend, const ViommuPlan *plan, const char *uuid);
