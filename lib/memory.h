/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory: page size, locking, and how much QEMU may have to lock.  Knows no XML. */
#pragma once

#include "lib/plan.h"

/** Sets memory_bytes, page_size_bytes, locked and memlock_bytes of @plan.
 *  The bound is FACTS section 4: without host devices only a locked guest locks anything, all its memory and 1 GiB for
 *  QEMU itself; libvirt then sets no limit, and the figure is what the host has to have.
 *  Fails: INVALID_REQUEST (size no multiple of the page size), NOT_SUPPORTED (more than the host has or lets be locked). */
bool viommu_memory_plan(const ViommuRequest *request, const ViommuHost *host, const ViommuPolicy *policy,
                        ViommuPlan *plan, GError **error);
