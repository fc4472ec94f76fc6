/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/traits.h"

#include <glib.h>

/* os-traits knows these; amd has none of its own, and is never chosen by itself. */
static const char *const names[] = {
    [VIOMMU_MODEL_INTEL] = "COMPUTE_VIOMMU_MODEL_INTEL",
    [VIOMMU_MODEL_SMMUV3] = "COMPUTE_VIOMMU_MODEL_SMMUV3",
    [VIOMMU_MODEL_VIRTIO] = "COMPUTE_VIOMMU_MODEL_VIRTIO",
    [VIOMMU_MODEL_AMD] = "CUSTOM_COMPUTE_VIOMMU_MODEL_AMD",
};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == VIOMMU_MODEL_LAST);

char **viommu_traits(unsigned models)
{
    GPtrArray *traits = g_ptr_array_new();

    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        if (models & (1u << model))
            g_ptr_array_add(traits, g_strdup(names[model]));
    if (models & ~(1u << VIOMMU_MODEL_AMD))
        g_ptr_array_add(traits, g_strdup("COMPUTE_VIOMMU_MODEL_AUTO"));
    g_ptr_array_add(traits, NULL);
    return (char **)g_ptr_array_free(traits, FALSE);
}
