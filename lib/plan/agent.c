/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* agent: decides whether the guest gets a channel for its agent. */
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

/* A guest may write anything to the channel at any time, and libvirt's daemon, which serves all
 * users, reads it. */
static bool is_channel_allowed(const ViommuPlanBuild *build)
{
    const ViommuPlanInput *input = build->input;

    switch (input->policy->agent) {
    case VIOMMU_AGENT_YES:
        return true;
    case VIOMMU_AGENT_AUTO:
        return !viommu_asker_is_bound(input->asker) ||
               viommu_fact_holds(VIOMMU_FACT_AGENT_NESTING, input->host->libvirt, 0);
    case VIOMMU_AGENT_NO:
    case VIOMMU_AGENT_LAST:
        break;
    }
    return !viommu_asker_is_bound(input->asker);
}

/* The reason, and what to do. */
static char *why_no_channel(const ViommuPlanBuild *build)
{
    g_autofree char *least = viommu_version_format_short(viommu_fact(VIOMMU_FACT_AGENT_NESTING)->libvirt);
    const char *advice = "run viommu's guest-report at the guest's console instead";

    if (build->input->policy->agent == VIOMMU_AGENT_NO)
        return g_strdup_printf("the site sets [verify] agent=no in viommud.conf; %s", advice);
    return g_strdup_printf(
        "before version %s, a guest can crash libvirt's daemon through the agent's channel; %s, or have root upgrade libvirt or set [verify] agent=yes in viommud.conf",
        least, advice);
}

bool viommu_plan_settle_agent(ViommuPlanBuild *build, GError **error)
{
    const ViommuRequest *request = build->request;
    bool asked = request->guest.agent == 1;
    /* A kernel of the request can run guest-report at the console. */
    bool proves = request->wait == VIOMMU_WAIT_VERIFIED && !request->boot.kernel.path &&
                  request->guest.agent == VIOMMU_UNSET;
    bool waits = request->wait == VIOMMU_WAIT_READY && request->guest.agent != 0;
    bool wanted = asked || proves || request->guest.agent_offered || waits;
    g_autofree char *why = NULL;

    build->plan->agent = wanted && is_channel_allowed(build);
    if (build->plan->agent || !wanted)
        return true;
    why = why_no_channel(build);
    /* With a vsock device, vsock.c decides. */
    if (!asked && waits && request->guest.vsock != 1)
        return viommu_plan_refuse(build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_AGENT_POLICY, error,
                                  "wait 'ready' needs the guest's agent, which is not allowed: %s", why);
    if (asked)
        return viommu_plan_refuse(build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_AGENT_POLICY, error,
                                  "guest.agent is not allowed: %s", why);
    if (proves)
        viommu_plan_warn(build, "wait 'verified' cannot use the guest's agent: %s", why);
    else
        viommu_plan_note(build, "no channel for the guest's agent: %s", why);
    return true;
}
