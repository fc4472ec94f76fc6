/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* allowed: what the site lets the asker have, before anything is asked of the host: so a refusal tells nothing of it. */
#include "lib/base/error.h"
#include "lib/policy/network-policy.h"
#include "lib/plan/build.h"
#include "lib/plan/hostdevs.h"

static bool check_networks(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *networks = build->request->networks;
    bool member = build->input->asker->kind == VIOMMU_ASKER_MEMBER;
    char **modes = build->input->forward_modes;
    g_autoptr(GError) local = NULL;

    const ViommuSite *site = build->input->policy->site;

    for (guint i = 0; networks && i < networks->len; i++)
        if (!viommu_network_policy_check(member ? site : NULL, g_ptr_array_index(networks, i), i,
                                         modes ? modes[i] : NULL, &local))
            return viommu_plan_refuse_policy(build, VIOMMU_RULE_NETWORK_POLICY, error, "%s", local->message);
    return true;
}

static bool check_hostdevs(ViommuPlanBuild *build, GError **error)
{
    ViommuPlacementInput placing = viommu_plan_hostdevs_placing(build->input);
    g_autoptr(GError) local = NULL;
    ViommuRule rule;

    return viommu_placement_check_policy(&placing, &rule, &local) ||
           viommu_plan_refuse_policy(build, rule, error, "%s", local->message);
}

bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error)
{
    if (viommu_asker_is_bound(build->input->asker) && !check_networks(build, error))
        return false;
    return check_hostdevs(build, error);
}
