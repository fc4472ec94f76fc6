/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allowed: checks what the site lets the asker have, before anything on the host is looked at, so
 * that a refusal reveals nothing about it. */
#include "lib/policy/network-policy.h"
#include "lib/plan/build.h"
#include "lib/request/hostdev-network.h"

static bool check_networks(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *networks = build->request->networks;
    bool member = build->input->asker->kind == VIOMMU_ASKER_MEMBER;
    const ViommuSite *site = member ? build->input->policy->site : NULL;
    char **modes = build->input->forward_modes;

    build->rule = VIOMMU_RULE_NETWORK_POLICY;
    for (guint i = 0; networks && i < networks->len; i++)
        if (!viommu_network_policy_check(site, g_ptr_array_index(networks, i), i, modes ? modes[i] : NULL,
                                         error))
            return false;
    return true;
}

/* A VLAN leads into other networks of the site, and a MAC address may be somebody else's: neither
 * comes with a device that the site gives. */
static bool check_interfaces(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *hostdevs = build->request->hostdevs;

    for (guint i = 0; hostdevs && i < hostdevs->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(hostdevs, i);

        if (viommu_request_hostdev_is_network(hostdev))
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_HOSTDEV_POLICY, error,
                "hostdevs[%u].%s: only root may set it on this host, because it decides which network the guest is in, and as whom; omit it, and ask the administrator to set it for the virtual function",
                i, hostdev->mac ? "mac" : "vlan");
    }
    return true;
}

static bool check_hostdevs(ViommuPlanBuild *build, GError **error)
{
    ViommuPlacementInput placing = viommu_plan_placing(build->input);

    build->rule = VIOMMU_RULE_HOSTDEV_POLICY;
    return viommu_placement_check_policy(&placing, error);
}

bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error)
{
    if (viommu_asker_is_bound(build->input->asker) &&
        (!check_networks(build, error) || !check_interfaces(build, error)))
        return false;
    return check_hostdevs(build, error);
}
