/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allowed: checks what the site lets the asker have, before anything on the host is looked at, so
 * that a refusal reveals nothing about it. */
#include "lib/policy/network-policy.h"
#include "lib/plan/build.h"

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

static bool check_hostdevs(ViommuPlanBuild *build, GError **error)
{
    ViommuPlacementInput placing = viommu_plan_placing(build->input);

    build->rule = VIOMMU_RULE_HOSTDEV_POLICY;
    return viommu_placement_check_policy(&placing, error);
}

bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error)
{
    if (viommu_asker_is_bound(build->input->asker) && !check_networks(build, error))
        return false;
    return check_hostdevs(build, error);
}
