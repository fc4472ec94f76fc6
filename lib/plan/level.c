/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* level: decides how much the guest must show of its IOMMU, and whether this machine can. */
#include "lib/plan/build.h"

/* Of an ICH9's controller. */
#define DISKS_PER_SATA 6

static bool has_sata_disk(const ViommuPlan *plan)
{
    for (guint i = 0; i < plan->disks->len; i++)
        if (((const ViommuPlanDisk *)g_ptr_array_index(plan->disks, i))->bus == VIOMMU_DISK_BUS_SATA)
            return true;
    return false;
}

/* Why the guest would show a device outside the IOMMU, and what to do; NULL: none is known.  Each
 * machine has a virtio device, for entropy.  Shares outside are refused with the request.
 * Static. */
static const char *why_outside(const ViommuPlan *plan)
{
    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        return "this machine has no IOMMU; set iommu.required to true to see why";
    if (plan->iommu.model == VIOMMU_MODEL_AMD)
        return "libvirt cannot enable the DMA remapping of 'amd' (QEMU's dma-remap); use another iommu.model";
    if (!plan->iommu.translate)
        return "this machine type, libvirt or QEMU puts no virtio device behind it; leave machine out, or upgrade them";
    if (plan->memory_hotplug == VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM && !plan->memory_translated)
        return "the virtio-mem device is outside it; set memory-hotplug to 'dimm'";
    return plan->vsock && !plan->vsock_translated ? "the guest's vsock device is outside it; omit guest.vsock"
                                                  : NULL;
}

/* libvirt knows it, and a shell in the guest can put it to work through its ports. */
static void settle_spare(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    bool has_disk = has_sata_disk(plan);

    if (plan->family == VIOMMU_FAMILY_Q35 && !has_disk) {
        viommu_plan_note(build, "the guest's own SATA controller is spare: verify.level 'isolating' uses it");
        return;
    }
    /* libvirt creates controllers with lower numbers for the disks, and a q35 has number 0. */
    plan->spare_sata = has_disk ? (int)(1 + plan->disks->len / DISKS_PER_SATA) : 0;
    viommu_plan_note(build, "a spare SATA controller is added, which verify.level 'isolating' uses");
}

bool viommu_plan_settle_level(ViommuPlanBuild *build, GError **error)
{
    ViommuPlan *plan = build->plan;
    int asked = build->request->verify.level;
    const char *outside = why_outside(plan);

    plan->spare_sata = VIOMMU_UNSET;
    plan->level = asked == VIOMMU_UNSET ? VIOMMU_LEVEL_PRESENT : (ViommuLevel)asked;
    if (plan->level > VIOMMU_LEVEL_PRESENT && outside)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_LEVEL, error,
            "verify.level '%s' needs every device behind the IOMMU, but %s, or ask for 'present'",
            viommu_enum_to_string(&viommu_enum_level, (int)plan->level), outside);
    if (plan->level == VIOMMU_LEVEL_ISOLATING)
        settle_spare(build);
    return true;
}
