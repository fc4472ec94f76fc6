/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory-plug: how the guest's memory grows while it runs, and which maximum counts. */
#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

/* Linux plugs memory of virtio-mem in blocks of this size or more (Linux 6.12
 * drivers/virtio/virtio_mem.c). */
#define BLOCK_BYTES (2 * VIOMMU_MIB)

static bool check_maximum(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlan *plan = build->plan;
    g_autofree char *memory = viommu_quantity_format(plan->memory_bytes);
    g_autofree char *most = viommu_quantity_format(plan->memory_max_bytes);

    if (plan->memory_max_bytes <= plan->memory_bytes)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MEMORY, error,
            "memory-max '%s' is not more than memory '%s', so nothing can be plugged in; raise it, or omit it",
            most, memory);
    if ((plan->memory_max_bytes - plan->memory_bytes) % MAX(BLOCK_BYTES, plan->memory_block_bytes) != 0)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MEMORY, error,
            "memory-max '%s' and memory '%s' do not differ by whole blocks of 2 MiB, or of memory-backing.page-size where that is larger; change one of the two",
            most, memory);
    return true;
}

static bool check_virtio_mem(ViommuPlanBuild *build, GError **error)
{
    ViommuVersion libvirt = build->input->host->libvirt;
    ViommuFactId id =
        build->plan->placement.devices->len > 0 ? VIOMMU_FACT_VIRTIO_MEM_HOSTDEV : VIOMMU_FACT_VIRTIO_MEM;
    g_autofree char *needs = viommu_fact_needs(id);
    g_autofree char *had = viommu_fact_had(id, libvirt, build->emulator->qemu);

    if (build->plan->arch != VIOMMU_ARCH_X86_64)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MEMORY, error,
            "memory-hotplug 'virtio-mem' is known to work on x86_64 only; set it to 'dimm'");
    return viommu_emulator_has(build->emulator, libvirt, id) ||
           viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MEMORY, error,
                              "memory-hotplug 'virtio-mem'%s needs %s, but %s; set it to 'dimm'",
                              id == VIOMMU_FACT_VIRTIO_MEM ? "" : " with devices of the host", needs, had);
}

bool viommu_plan_settle_memory_max(ViommuPlanBuild *build, GError **error)
{
    const ViommuRequest *request = build->request;
    ViommuPlan *plan = build->plan;
    uint64_t page = request->memory_backing.page_size_bytes;

    plan->memory_max_bytes = plan->memory_bytes;
    plan->memory_hotplug = VIOMMU_UNSET;
    if (request->memory_max_bytes == VIOMMU_UNSET_NUMBER)
        return true;
    plan->memory_max_bytes = request->memory_max_bytes;
    plan->memory_block_bytes = page == VIOMMU_UNSET_NUMBER ? BLOCK_BYTES : MAX(BLOCK_BYTES, page);
    plan->memory_hotplug =
        request->memory_hotplug == VIOMMU_UNSET ? (int)VIOMMU_MEMORY_HOTPLUG_DIMM : request->memory_hotplug;
    return check_maximum(build, error) &&
           (plan->memory_hotplug != VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM || check_virtio_mem(build, error));
}

bool viommu_plan_check_memory_plug(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlan *plan = build->plan;

    return plan->memory_hotplug == VIOMMU_UNSET || plan->acpi ||
           viommu_plan_refuse(
               build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_MEMORY, error,
               "memory-max needs ACPI, by which the guest hears of memory; on aarch64 set boot.firmware to 'efi'");
}

void viommu_plan_settle_memory_plug(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *memory = viommu_quantity_format(plan->memory_bytes);
    g_autofree char *most = viommu_quantity_format(plan->memory_max_bytes), *needs = NULL;

    if (plan->memory_hotplug == VIOMMU_UNSET)
        return;
    if (plan->memory_hotplug == VIOMMU_MEMORY_HOTPLUG_DIMM) {
        viommu_plan_note(
            build,
            "the guest starts with %s, and \"virsh attach-device\" plugs in DIMMs up to %s, which counts for all limits",
            memory, most);
        return;
    }
    viommu_plan_note(
        build,
        "the guest starts with %s, and \"virsh update-memory-device\" gives it up to %s by virtio-mem, which counts for all limits",
        memory, most);
    plan->memory_translated =
        viommu_plan_marks_virtio(plan) &&
        viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_VIRTIO_MEM_TRANSLATION);
    if (!plan->iommu.translate || plan->memory_translated)
        return;
    needs = viommu_fact_needs(VIOMMU_FACT_VIRTIO_MEM_TRANSLATION);
    viommu_plan_warn(
        build,
        "the virtio-mem device is outside the IOMMU: to be behind it, it needs %s; set memory-hotplug to 'dimm' to have none",
        needs);
}
