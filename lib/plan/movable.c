/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* movable: the sentences, and the plan's notes of them. */
#include "lib/plan/movable.h"

#include "lib/facts/facts.h"
#include "lib/plan/build.h"

/* libvirt refuses to save them.  QEMU hw/vfio/migration.c: a device migrates only if its driver in
 * the host's kernel keeps its state; since e46883204c (8.0) not behind an IOMMU of the guest. */
const char *viommu_movable_hostdevs(const ViommuPlan *plan)
{
    if (plan->placement.devices->len == 0)
        return NULL;
    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        return "the guest cannot be saved, and is migrated only if the device's driver can do that";
    return "the guest cannot be saved, and is migrated only if the device's driver can do that, and this QEMU can do it for devices behind an IOMMU";
}

const char *viommu_movable_disk(ViommuDiskBus bus, ViommuVersion libvirt, ViommuVersion qemu)
{
    if (bus == VIOMMU_DISK_BUS_NVME && !viommu_fact_holds(VIOMMU_FACT_DISK_NVME_STATE, libvirt, qemu))
        return "the guest cannot be saved or migrated, because this QEMU does not keep the state of a disk on bus 'nvme'";
    return NULL;
}

void viommu_plan_explain_movable(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    const char *words = viommu_movable_hostdevs(plan);

    if (words)
        viommu_plan_note(build, "hostdevs: %s", words);
    for (guint i = 0; i < plan->disks->len; i++) {
        const ViommuPlanDisk *disk = g_ptr_array_index(plan->disks, i);

        words = viommu_movable_disk(disk->bus, build->input->host->libvirt, build->emulator->qemu);
        if (words)
            viommu_plan_note(build, "disks[%u]: %s", i, words);
    }
}
