/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* movable: what forbids that a guest is saved and restored, or migrated (rule 'migration').
 * viommud does neither; an administrator does it with libvirt.  No IOMMU forbids it: QEMU keeps the
 * state of intel, smmuv3 and virtio, and of amd as libvirt makes it. */
#pragma once

#include "lib/plan/plan.h"

/** What @plan's devices of the host forbid, as a sentence about the guest; NULL: it has none.
 *  Static. */
const char *viommu_movable_hostdevs(const ViommuPlan *plan);
/** The same of a disk on @bus with these versions; NULL: nothing.  Static. */
const char *viommu_movable_disk(ViommuDiskBus bus, ViommuVersion libvirt, ViommuVersion qemu);
