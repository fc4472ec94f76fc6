/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* offloaded-networks: decides whether a network that another program (vhostuser) or hardware of the
 * host (vdpa) serves is possible, and whether it can be behind the IOMMU. */
#include "lib/facts/facts.h"
#include "lib/plan/build.h"
#include "lib/request/translate.h"

static const ViommuRequestNetwork *network_at(const ViommuPlanBuild *build, guint i)
{
    return g_ptr_array_index(build->request->networks, i);
}

static guint n_networks(const ViommuPlanBuild *build)
{
    return build->request->networks ? build->request->networks->len : 0;
}

/* The program would go on using what the guest has taken back. */
static bool check_unmaps(ViommuPlanBuild *build, guint i, GError **error)
{
    g_autofree char *range = network_at(build, i)->ats == 1 ? NULL : viommu_plan_deaf_vhost(build);

    return !range ||
           viommu_plan_refuse(
               build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_NETWORK, error,
               "networks[%u].translate is not possible with type 'vhostuser', because %s does not tell the program what a guest unmaps behind 'intel'; upgrade QEMU, omit translate, or set networks[%u].ats and iommu.iotlb",
               i, range, i);
}

/* QEMU must see each mapping of the guest, to make it in the hardware, as for an assigned device:
 * QEMU 8.1 hw/virtio/vhost-vdpa.c (vhost_vdpa_iommu_region_add asks for MAP and UNMAP). */
static bool check_maps(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuIommuChoice *iommu = &build->plan->iommu;
    const char *why = NULL;

    if (iommu->model == VIOMMU_MODEL_INTEL && iommu->attributes.caching_mode != 1)
        why = "'intel' shows QEMU the guest's mappings in caching mode only; set iommu.caching-mode, or omit";
    else if (iommu->model == VIOMMU_MODEL_SMMUV3 || iommu->model == VIOMMU_MODEL_AMD)
        why = "this model does not show QEMU the guest's mappings; use 'intel' or 'virtio', or omit";
    return !why || viommu_plan_refuse(
                       build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_NETWORK, error,
                       "networks[%u].translate is not possible with type 'vdpa' here: %s translate", i, why);
}

static bool check_fact(ViommuPlanBuild *build, guint i, ViommuFactId id, const char *subject, GError **error)
{
    return viommu_plan_check_fact(build, id, VIOMMU_RULE_NETWORK, "networks", i, subject, error);
}

static bool check_network(ViommuPlanBuild *build, guint i, GError **error)
{
    bool behind = network_at(build, i)->translate == 1 && build->plan->iommu.model != VIOMMU_MODEL_NONE;

    if (network_at(build, i)->type == (int)VIOMMU_NETWORK_TYPE_VHOSTUSER)
        return check_fact(build, i, VIOMMU_FACT_NETWORK_VHOSTUSER, "type 'vhostuser'", error) &&
               (!behind || check_unmaps(build, i, error));
    if (network_at(build, i)->type == (int)VIOMMU_NETWORK_TYPE_VDPA)
        return check_fact(build, i, VIOMMU_FACT_NETWORK_VDPA, "type 'vdpa'", error) &&
               (!behind || (check_fact(build, i, VIOMMU_FACT_NETWORK_VDPA_TRANSLATION,
                                       "type 'vdpa' behind the IOMMU", error) &&
                            check_maps(build, i, error)));
    return true;
}

bool viommu_plan_check_offloaded_networks(ViommuPlanBuild *build, GError **error)
{
    for (guint i = 0; i < n_networks(build); i++)
        if (!check_network(build, i, error))
            return false;
    return true;
}

static void warn_of_tcg(ViommuPlanBuild *build, guint i)
{
    ViommuVersion qemu = build->emulator->qemu;
    g_autofree char *range = NULL;

    if (build->plan->accelerator != VIOMMU_ACCELERATOR_TCG ||
        !viommu_flaw_is_in(VIOMMU_FLAW_VHOSTUSER_TCG, qemu))
        return;
    range = viommu_flaw_range(VIOMMU_FLAW_VHOSTUSER_TCG, qemu);
    viommu_plan_warn(
        build,
        "networks[%u]: %s ends under TCG as soon as the guest uses the interrupts (MSI) of the device; use KVM, or add pci=nomsi to the guest's kernel command line",
        i, range);
}

static void explain_vhostuser(ViommuPlanBuild *build, guint i, const ViommuPlanNetwork *network)
{
    viommu_plan_note(
        build,
        "networks[%u]: a program must listen on '%s' before the machine starts; it can read and write all of the guest's memory",
        i, network->source);
    warn_of_tcg(build, i);
    if (network->translated)
        viommu_plan_note(
            build,
            "networks[%u] is behind the IOMMU, as networks[%u].translate says; QEMU does not start if the program cannot translate (DPDK's can, with iommu-support=1)",
            i, i);
    else if (build->plan->iommu.translate)
        viommu_plan_warn(
            build,
            "networks[%u] is outside the IOMMU, because few programs that serve vhost-user can translate; set networks[%u].translate if this one can",
            i, i);
}

static void explain_vdpa(ViommuPlanBuild *build, guint i, const ViommuPlanNetwork *network)
{
    if (network->translated)
        viommu_plan_note(
            build,
            "networks[%u] is behind the IOMMU, as networks[%u].translate says; QEMU does not start if the device has no VIRTIO_F_ACCESS_PLATFORM",
            i, i);
    else if (build->plan->iommu.translate)
        viommu_plan_warn(
            build,
            "networks[%u] is outside the IOMMU: '%s' reaches all of the guest's memory; set networks[%u].translate to have it inside",
            i, network->source, i);
}

/* A dry run does not know its user. */
static void warn_of_policy(ViommuPlanBuild *build, const char *type)
{
    if (!build->input->asker && viommu_host_secmodel(build->input->host, "dac"))
        viommu_plan_warn(build, "only root may have networks of type '%s' by the system's viommud", type);
}

void viommu_plan_settle_offloaded_networks(ViommuPlanBuild *build)
{
    bool vhostuser = false, vdpa = false;

    for (guint i = 0; i < n_networks(build); i++) {
        const ViommuPlanNetwork *network = g_ptr_array_index(build->plan->networks, i);

        if (network->type == VIOMMU_NETWORK_TYPE_VHOSTUSER)
            explain_vhostuser(build, i, network);
        else if (network->type == VIOMMU_NETWORK_TYPE_VDPA)
            explain_vdpa(build, i, network);
        vhostuser |= network->type == VIOMMU_NETWORK_TYPE_VHOSTUSER;
        vdpa |= network->type == VIOMMU_NETWORK_TYPE_VDPA;
    }
    build->plan->shared_memory |= vhostuser;
    if (vhostuser)
        warn_of_policy(build, "vhostuser");
    if (!vdpa)
        return;
    warn_of_policy(build, "vdpa");
    viommu_plan_warn(
        build,
        "no guest with a network of type 'vdpa' has been started in viommud's tests: libvirt takes such domains, and whether the guest runs is not known");
}
