/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-agent: who gets a channel for the guest's agent, and what a plan says without one. */
#include "tests/unit/parse-request.h"

#include <string.h>
#include "lib/plan/plan.h"

/* Before 10.8.0 an agent's reply can crash libvirt's daemon, which serves all users. */
static const struct {
    ViommuAgentUse use;
    ViommuAskerKind asker;
    const char *libvirt;
    bool has, refused;
} agents[] = {
    {VIOMMU_AGENT_AUTO, VIOMMU_ASKER_MEMBER, "9.0.0", false, true},
    {VIOMMU_AGENT_AUTO, VIOMMU_ASKER_MEMBER, "10.7.0", false, true},
    {VIOMMU_AGENT_AUTO, VIOMMU_ASKER_MEMBER, "10.8.0", true, false},
    {VIOMMU_AGENT_AUTO, VIOMMU_ASKER_OUTSIDER, "9.0.0", false, true},
    {VIOMMU_AGENT_AUTO, VIOMMU_ASKER_ROOT, "9.0.0", true, false},
    {VIOMMU_AGENT_AUTO, VIOMMU_ASKER_OWN, "9.0.0", true, false},
    {VIOMMU_AGENT_YES, VIOMMU_ASKER_MEMBER, "9.0.0", true, false},
    {VIOMMU_AGENT_NO, VIOMMU_ASKER_MEMBER, "12.8.0", false, true},
    {VIOMMU_AGENT_NO, VIOMMU_ASKER_ROOT, "12.8.0", true, false},
};

/* Case @i of the table.  @offered: the image of the request has an agent.  Owned; NULL: *error. */
static ViommuPlan *plan_for(size_t i, const char *text, bool offered, GError **error)
{
    g_autofree char *recorded = g_strdup_printf("{'libvirt': <'%s'>, 'emulators': <[{'arch': <'x86_64'>, "
                                                "'qemu': <'11.1.0'>, 'accelerators': <['kvm']>}]>}",
                                                agents[i].libvirt);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, recorded, NULL, NULL, NULL);
    g_autoptr(ViommuHost) host = viommu_host_from_variant(tree, NULL);
    g_autoptr(ViommuRequest) request = unit_request(text);
    ViommuAsker asker = {.kind = agents[i].asker, .uid = 1000};
    ViommuPolicy policy;
    ViommuPlanInput input = {.request = request, .host = host, .policy = &policy, .asker = &asker};
    ViommuPlan *plan = NULL;

    viommu_policy_init(&policy);
    policy.agent = agents[i].use;
    request->guest.agent_offered = offered;
    ck_assert_int_eq(viommu_plan_build(&input, &plan, NULL, error), plan != NULL);
    return plan;
}

START_TEST(asked_for)
{
    for (size_t i = 0; i < G_N_ELEMENTS(agents); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuPlan) plan = plan_for(i, "{'guest': <{'agent': <true>}>}", false, &error);

        if (agents[i].refused) {
            ck_assert(g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED));
            ck_assert_ptr_nonnull(strstr(error->message, "[verify] agent="));
            continue;
        }
        unit_assert_ok(plan != NULL, error);
        ck_assert_int_eq(plan->agent, agents[i].has);
    }
}
END_TEST

START_TEST(needed_by_wait)
{
    for (size_t i = 0; i < G_N_ELEMENTS(agents); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuPlan) plan = plan_for(i, "{'wait': <'verified'>}", false, &error);

        unit_assert_ok(plan != NULL, error);
        ck_assert_int_eq(plan->agent, agents[i].has);
        ck_assert_int_eq(plan->warnings->len > 0, !agents[i].has);
    }
}
END_TEST

/* The channel of an image's agent is a gift, until wait needs it; a kernel of the request can show
 * the IOMMU at the console. */
START_TEST(offered_by_an_image)
{
    static const struct {
        const char *request;
        bool warned;
    } cases[] = {
        {"{'wait': <'started'>}", false},
        {"{'wait': <'verified'>, 'boot': <{'kernel': <'/k'>}>}", false},
        {"{'wait': <'verified'>}", true},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(ViommuPlan) plan = plan_for(0, cases[i].request, true, &error);

        unit_assert_ok(plan != NULL, error);
        ck_assert(!plan->agent);
        ck_assert_int_eq(plan->warnings->len > 0, cases[i].warned);
    }
}
END_TEST

/* With a vsock device, systemd may tell that the guest is ready. */
START_TEST(ready_by_vsock)
{
    for (size_t i = 0; i < G_N_ELEMENTS(agents); i++) {
        g_autoptr(GError) error = NULL, refusal = NULL;
        g_autoptr(ViommuPlan) plan =
            plan_for(i, "{'wait': <'ready'>, 'guest': <{'vsock': <true>}>}", false, &error);
        g_autoptr(ViommuPlan) without = plan_for(i, "{'wait': <'ready'>}", false, &refusal);

        unit_assert_ok(plan != NULL, error);
        ck_assert_int_eq(plan->agent, agents[i].has);
        ck_assert_uint_eq(plan->ready_port, viommu_policy_ready_port(false, 0));
        ck_assert_int_eq(without != NULL, agents[i].has);
    }
}
END_TEST

/* The ports of users differ, and from the system's. */
START_TEST(ready_ports)
{
    ck_assert_uint_eq(viommu_policy_ready_port(false, 1000), viommu_policy_ready_port(false, 0));
    ck_assert_uint_ne(viommu_policy_ready_port(true, 0), viommu_policy_ready_port(false, 0));
    ck_assert_uint_ne(viommu_policy_ready_port(true, 1000), viommu_policy_ready_port(true, 1001));
}
END_TEST

UNIT_MAIN("agent", ready_by_vsock, ready_ports, asked_for, needed_by_wait, offered_by_an_image)
