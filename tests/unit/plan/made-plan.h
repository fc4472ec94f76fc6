/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* made-plan: a plan out of the texts of a host and a request, for tests. */
#pragma once

#include "lib/plan/plan.h"
#include "tests/unit/parse-request.h"

/* Everything that a plan is made of, and the plan; the plan's input borrows it. */
typedef struct Made {
    ViommuHost *host;
    ViommuRequest *request;
    ViommuPolicy policy;
    ViommuPlan *plan; /* NULL: not made yet, or refused */
    GError *error;
} Made;

/** Reads @host and @request, which must be valid; the policy has the defaults, until the caller
 *  changes it. */
static inline void made_prepare(Made *made, const char *host, const char *request)
{
    g_autoptr(GVariant) host_tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, host, NULL, NULL, NULL);

    *made = (Made){.host = viommu_host_from_variant(host_tree, NULL), .request = unit_request(request)};
    ck_assert_ptr_nonnull(made->host);
    viommu_policy_init(&made->policy);
}

/** @asker may be NULL. */
static inline void made_build(Made *made, const ViommuAsker *asker)
{
    ViommuPlanInput input = {
        .request = made->request, .host = made->host, .policy = &made->policy, .asker = asker};

    ck_assert_int_eq(viommu_plan_build(&input, &made->plan, NULL, &made->error), made->plan != NULL);
}

static inline void made_clear(Made *made)
{
    viommu_plan_free(made->plan);
    viommu_request_free(made->request);
    viommu_host_free(made->host);
    g_clear_error(&made->error);
}
