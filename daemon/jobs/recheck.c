/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recheck: judges the plan again, with what the host shows now. */
#include "daemon/jobs/recheck.h"

#include "lib/policy/network-policy.h"

static bool check_networks(const ViommuSite *site, const ViommuRequest *request, const ViommuPermit *permit,
                           GError **error)
{
    for (guint i = 0; request->networks && i < request->networks->len; i++)
        if (!viommu_network_policy_check(site, g_ptr_array_index(request->networks, i), i,
                                         permit->forward_modes ? permit->forward_modes[i] : NULL, error))
            return false;
    return true;
}

/* @input needs its topology. */
static bool check_devices(ViommuBackend *backend, ViommuPlacementInput *input,
                          const ViommuPlacement *placement, GError **error)
{
    ViommuTopology topology;
    bool done;

    input->topology = &topology;
    viommu_fields_init(&viommu_topology_fields, &topology);
    done = viommu_backend_read_topology(backend, &topology, error) &&
           viommu_placement_check_again(input, placement, error);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    return done;
}

bool viommu_recheck_run(const ViommuRecheck *recheck, ViommuPermit *permit, GError **error)
{
    const ViommuRequest *request = recheck->request;
    const ViommuPlacement *placement = recheck->placement;
    ViommuPlacementInput input = {.request = request, .asker = &permit->asker, .site = recheck->site};

    if (!viommu_permit_learn(permit, recheck->backend, recheck->site, request, error))
        return false;
    if (viommu_asker_is_bound(&permit->asker) && !check_networks(recheck->site, request, permit, error))
        return false;
    return placement->devices->len == 0 || placement->unseen ||
           check_devices(recheck->backend, &input, placement, error);
}
