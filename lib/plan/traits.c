/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/traits.h"

#include <glib.h>

/* Names of os-traits; amd has none there, and is never chosen automatically. */
static const char *const names[] = {
    [VIOMMU_MODEL_INTEL] = "COMPUTE_VIOMMU_MODEL_INTEL",
    [VIOMMU_MODEL_SMMUV3] = "COMPUTE_VIOMMU_MODEL_SMMUV3",
    [VIOMMU_MODEL_VIRTIO] = "COMPUTE_VIOMMU_MODEL_VIRTIO",
    [VIOMMU_MODEL_AMD] = "CUSTOM_COMPUTE_VIOMMU_MODEL_AMD",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == VIOMMU_MODEL_LAST);

static void add_combinations(GPtrArray *traits, const char *prefix, ViommuArch arch, unsigned models)
{
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++) {
        g_autofree char *name = g_strdup_printf("%s_%s_%s", prefix, viommu_arch_to_string(arch),
                                                viommu_model_to_string((ViommuModel)model));

        if (models & (1u << model))
            g_ptr_array_add(traits, g_ascii_strup(name, -1));
    }
}

char **viommu_traits(const ViommuOffer *offer)
{
    GPtrArray *traits = g_ptr_array_new();
    unsigned models = viommu_offer_models(offer);

    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        if (models & (1u << model))
            g_ptr_array_add(traits, g_strdup(names[model]));
    if (models & ~(1u << VIOMMU_MODEL_AMD))
        g_ptr_array_add(traits, g_strdup("COMPUTE_VIOMMU_MODEL_AUTO"));
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        add_combinations(traits, "CUSTOM_VIOMMU", (ViommuArch)arch, offer->models[arch]);
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        add_combinations(traits, "CUSTOM_VIOMMU_KVM", (ViommuArch)arch, offer->by_kvm[arch]);
    g_ptr_array_add(traits, NULL);
    return (char **)g_ptr_array_free(traits, FALSE);
}
