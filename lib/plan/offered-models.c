/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* offered-models: plans a plain request for each architecture and model, and one with KVM.  Decides
 * nothing itself. */
#include "lib/plan/offered-models.h"

#include "lib/plan/plan.h"

ViommuRequest *viommu_offer_request(ViommuArch arch, ViommuModel model)
{
    g_autoptr(GVariant) tree =
        g_variant_ref_sink(g_variant_new_parsed("{'arch': <%s>, 'iommu': <{'model': <%s>}>}",
                                                viommu_arch_to_string(arch), viommu_model_to_string(model)));
    ViommuRequest *request = viommu_request_parse(tree, NULL);

    g_assert(request);
    return request;
}

static bool is_planned(const ViommuHost *host, const ViommuPolicy *policy, const ViommuRequest *request)
{
    g_autoptr(ViommuPlan) plan = NULL;
    ViommuPlanInput input = {.request = request, .host = host, .policy = policy};

    return viommu_plan_build(&input, &plan, NULL, NULL);
}

static void offer_model(const ViommuHost *host, const ViommuPolicy *policy, ViommuArch arch,
                        ViommuModel model, ViommuOffer *offer)
{
    g_autoptr(ViommuRequest) request = viommu_offer_request(arch, model);

    if (is_planned(host, policy, request))
        offer->models[arch] |= 1u << model;
    request->accelerator = VIOMMU_ACCELERATOR_KVM;
    if (is_planned(host, policy, request))
        offer->by_kvm[arch] |= 1u << model;
}

void viommu_offer_of_host(const ViommuHost *host, const ViommuPolicy *policy, ViommuOffer *ret_offer)
{
    *ret_offer = (ViommuOffer){{0}, {0}};
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        for (int model = 0; model < VIOMMU_MODEL_LAST && viommu_host_emulator(host, (ViommuArch)arch);
             model++)
            offer_model(host, policy, (ViommuArch)arch, (ViommuModel)model, ret_offer);
}

unsigned viommu_offer_models(const ViommuOffer *offer)
{
    unsigned models = 0;

    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        models |= offer->models[arch];
    return models;
}
