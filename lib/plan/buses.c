/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buses: decides whether the guest gets expander buses, NUMA cells and free root ports, and notes
 * what is lost without them. */
#include "lib/plan/numa.h"
#include "lib/plan/build.h"

static void note_expander(ViommuPlanBuild *build, const ViommuPcieExpander *expander)
{
    const ViommuPlan *plan = build->plan;
    g_autoptr(GString) text = g_string_new(NULL);
    const char *separator = "";

    for (guint i = 0; i < plan->placement.devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(plan->placement.devices, i);

        if (g_strcmp0(device->iommu, expander->iommu) != 0)
            continue;
        g_string_append_printf(text, "%s%s", separator, device->address);
        separator = ", ";
    }
    if (expander->cell != VIOMMU_UNSET)
        g_string_append_printf(text, "; near to the guest's NUMA cell %d", expander->cell);
    viommu_plan_note(
        build, "the devices behind the host's %s have a root complex of their own, the guest's bus 0x%x: %s",
        expander->iommu, expander->bus_number, text->str);
}

/* One IOMMU serves the devices behind several of the host's. */
static void note_shared(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    const char *model = viommu_model_to_string(plan->iommu.model);

    viommu_plan_note(
        build,
        "a single '%s' serves devices behind %u host IOMMUs, because QEMU supports one per %s: groups stay separate, but the guest sees one register set and one invalidation queue, and the narrowest address width applies%s",
        model, plan->placement.n_iommus,
        plan->arch == VIOMMU_ARCH_AARCH64 ? "machine of this model" : "x86_64 machine",
        plan->arch == VIOMMU_ARCH_AARCH64 ? "; an accelerated 'smmuv3' is one for each" : "");
}

/* No version check is needed here: assigned devices already need versions newer than expander buses
 * (x86_64: libvirt 1.3.4, QEMU 2.6; aarch64: 8.0, 6.0) and, for smmuv3, than several of them
 * (11.10, 10.2). */
static void settle_expanders(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    bool several = plan->iommu.model != VIOMMU_MODEL_NONE && plan->placement.n_iommus > 1;
    g_autofree char *lost = NULL;
    ViommuNumaInput dividing = {&plan->placement, plan->vcpus, plan->memory_bytes, plan->page_size_bytes};

    if (several && !plan->iommu.accelerated)
        note_shared(build);
    if (plan->iommu.accelerated || several)
        viommu_pcie_expand(&plan->pcie, &plan->placement);
    plan->cells = viommu_numa_divide(&dividing, &plan->pcie, &lost);
    if (lost)
        viommu_plan_warn(build, "%s", lost);
    for (guint i = 0; i < plan->pcie.expanders->len; i++)
        note_expander(build, viommu_pcie_expander(&plan->pcie, i));
    if (plan->iommu.accelerated)
        viommu_plan_note(
            build,
            "each of them has an SMMU of its own, accelerated by the host's; the devices that QEMU emulates are on the first root complex, behind a plain SMMU");
    for (guint i = 0; i < plan->cells->len; i++) {
        const ViommuNumaCell *cell = &g_array_index(plan->cells, ViommuNumaCell, i);

        viommu_plan_note(build,
                         "NUMA cell %u: vCPUs %" G_GUINT64_FORMAT " to %" G_GUINT64_FORMAT
                         " and %" G_GUINT64_FORMAT " MiB, from the host's node %" G_GUINT64_FORMAT
                         " while that node has enough",
                         i, cell->first_vcpu, cell->first_vcpu + cell->vcpus - 1, cell->memory_bytes >> 20,
                         cell->host_node);
    }
}

/* Devices of one SMMU are not behind another: libvirt fills the free ports in their order. */
static void settle_smmus(ViommuPlanBuild *build)
{
    unsigned n = (unsigned)build->plan->iommu.count - 1;

    build->plan->cells = g_array_new(FALSE, FALSE, sizeof(ViommuNumaCell));
    viommu_pcie_add_expanders(&build->plan->pcie, n);
    viommu_plan_note(
        build,
        "bus 0 and %u further root complexes have an SMMU each; libvirt puts the first devices of the guest on the further ones, one on each, and the others on bus 0",
        n);
}

/* Devices that libvirt places, each on a root port of pcie.0. */
static unsigned count_placed_by_libvirt(const ViommuPlan *plan)
{
    unsigned elsewhere = (unsigned)plan->iommu.count - 1;
    unsigned n = plan->networks->len;

    for (guint i = 0; i < plan->disks->len; i++) {
        const ViommuPlanDisk *disk = g_ptr_array_index(plan->disks, i);

        n += disk->bus == VIOMMU_DISK_BUS_VIRTIO || disk->bus == VIOMMU_DISK_BUS_NVME;
    }
    /* On q35 the display is itself on pcie.0. */
    for (int kind = 0; kind < VIOMMU_DEVICE_LAST; kind++)
        n += plan->devices[kind].present && (kind != VIOMMU_DEVICE_GPU || plan->family != VIOMMU_FAMILY_Q35);
    n += plan->vsock;
    n += plan->memory_hotplug == VIOMMU_MEMORY_HOTPLUG_VIRTIO_MEM;
    n += plan->shares->len;
    for (guint i = 0; i < plan->placement.devices->len; i++)
        n += ((const ViommuPlacedDevice *)g_ptr_array_index(plan->placement.devices, i))->guest_bus == 0;
    return n - MIN(n, elsewhere);
}

/* libvirt fills existing ports before it creates others, so there must be enough for all. */
static void settle_free_ports(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    uint64_t wanted = build->request->hotplug_ports;

    if (wanted == VIOMMU_UNSET_NUMBER || wanted == 0)
        return;
    if (plan->family == VIOMMU_FAMILY_I440FX) {
        viommu_plan_note(build, "machine '%s' has no PCI Express: devices are plugged into its PCI slots",
                         plan->machine);
        return;
    }
    viommu_pcie_add_ports(&plan->pcie, count_placed_by_libvirt(plan) + (unsigned)wanted);
    viommu_plan_note(build, "%" G_GUINT64_FORMAT " root port%s left free for devices that are plugged in",
                     wanted, wanted == 1 ? " is" : "s are");
}

void viommu_plan_settle_pcie(ViommuPlanBuild *build)
{
    if (build->plan->iommu.count > 1)
        settle_smmus(build);
    else
        settle_expanders(build);
    settle_free_ports(build);
}
