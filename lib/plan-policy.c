/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan-policy: what the site lets others than root have, before anything is asked of the host: so a refusal tells nothing of it. */
#include "lib/plan-build.h"

#include "lib/error.h"

static bool check_hostdevs(ViommuPlanBuild *build, GError **error)
{
    if (!build->request->hostdevs || build->request->hostdevs->len == 0)
        return true;
    return viommu_plan_refuse_policy(build, "hostdev-policy", error,
                                     "hostdevs: the devices of this host are for root to give to guests; "
                                     "ask for a machine without them, or have root launch it");
}

static bool check_network(ViommuPlanBuild *build, guint i, const ViommuRequestNetwork *network,
                          GError **error)
{
    if (network->type == VIOMMU_NETWORK_TYPE_USER)
        return true;
    return viommu_plan_refuse_policy(
        build, "network-policy", error,
        "networks[%u] of type '%s' with source '%s' is for root to give to guests; ask for type 'user', or "
        "have root launch it",
        i, viommu_enum_to_string(&viommu_enum_network_type, network->type), network->source);
}

bool viommu_plan_check_policy(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *networks = build->request->networks;

    if (!viommu_asker_is_bound(build->input->asker))
        return true;
    for (guint i = 0; networks && i < networks->len; i++)
        if (!check_network(build, i, g_ptr_array_index(networks, i), error))
            return false;
    return check_hostdevs(build, error);
}
