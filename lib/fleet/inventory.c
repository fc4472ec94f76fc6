/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fleet/inventory.h"

#include <inttypes.h>
#include <string.h>

#include "lib/plan/traits.h"

#define FEATURE_PREFIX "viommu_"

static void add_label(GVariantBuilder *labels, const char *prefix, const char *name, const char *value)
{
    g_autofree char *label = g_strconcat(prefix, name, NULL);

    g_variant_builder_add(labels, "{ss}", label, value);
}

GVariant *viommu_fleet_labels(const ViommuFleetNode *node, const char *prefix)
{
    GVariantBuilder labels;

    g_variant_builder_init(&labels, G_VARIANT_TYPE("a{ss}"));
    add_label(&labels, prefix, "class", node->class);
    for (guint i = 0; i < node->features->len; i++) {
        const char *feature = g_ptr_array_index(node->features, i);

        if (g_str_has_prefix(feature, FEATURE_PREFIX))
            add_label(&labels, prefix, feature + strlen(FEATURE_PREFIX), "true");
        else if (g_str_has_prefix(feature, VIOMMU_FLEET_IMAGE_PREFIX))
            add_label(&labels, prefix, feature, "true");
    }
    for (guint i = 0; i < node->gres->len; i++) {
        const ViommuFleetGres *gres = g_ptr_array_index(node->gres, i);
        g_autofree char *count = g_strdup_printf("%" PRIu64, gres->count);

        add_label(&labels, prefix, gres->name, count);
    }
    return g_variant_builder_end(&labels);
}

/* --- Placement --- */

static void add_inventory(GVariantBuilder *inventories, const char *class, uint64_t total)
{
    if (total)
        g_variant_builder_add(inventories, "{sv}", class,
                              g_variant_new_parsed("{'total': <%t>, 'allocation_ratio': <1.0>}", total));
}

/* A custom name: upper case, digits and "_". */
static char *custom(const char *name)
{
    g_autofree char *whole = g_strconcat("CUSTOM_", name, NULL);

    return g_ascii_strup(whole, -1);
}

/* What can be launched; HW_ARCH_* is the host's own. */
static void add_arch(GVariantBuilder *list, const ViommuHost *host, ViommuArch arch)
{
    g_autofree char *word = g_ascii_strup(viommu_arch_to_string(arch), -1);
    g_autofree char *trait = g_strconcat("COMPUTE_ARCH_", word, NULL);

    if (viommu_host_emulator(host, arch))
        g_variant_builder_add(list, "s", trait);
}

static GVariant *traits_of(const ViommuFleetNode *node, const ViommuHost *host, const ViommuPolicy *policy)
{
    g_autofree char *class = g_strconcat("CUSTOM_VIOMMU_", node->class, NULL);
    g_autofree char *upper = g_ascii_strup(class, -1);
    g_auto(GStrv) traits = NULL;
    GVariantBuilder list;
    ViommuOffer offer;

    viommu_offer_of_host(host, policy, &offer);
    traits = viommu_traits(&offer);
    g_variant_builder_init(&list, G_VARIANT_TYPE_STRING_ARRAY);
    for (char **trait = traits; *trait; trait++)
        g_variant_builder_add(&list, "s", *trait);
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        add_arch(&list, host, (ViommuArch)arch);
    for (guint i = 0; i < node->features->len; i++) {
        const char *feature = g_ptr_array_index(node->features, i);
        g_autofree char *image = custom(feature);

        if (g_str_has_prefix(feature, VIOMMU_FLEET_IMAGE_PREFIX))
            g_variant_builder_add(&list, "s", image);
    }
    g_variant_builder_add(&list, "s", upper);
    return g_variant_builder_end(&list);
}

GVariant *viommu_fleet_placement(const ViommuFleetNode *node, const ViommuHost *host,
                                 const ViommuPolicy *policy)
{
    GVariantBuilder inventories;
    GVariantDict tree;

    g_variant_builder_init(&inventories, G_VARIANT_TYPE_VARDICT);
    add_inventory(&inventories, "VCPU", node->cpus);
    add_inventory(&inventories, "MEMORY_MB", node->memory_mib);
    for (guint i = 0; i < node->gres->len; i++) {
        const ViommuFleetGres *gres = g_ptr_array_index(node->gres, i);
        g_autofree char *class = custom(gres->name);

        add_inventory(&inventories, class, gres->count);
    }
    g_variant_dict_init(&tree, NULL);
    g_variant_dict_insert_value(&tree, "traits", traits_of(node, host, policy));
    g_variant_dict_insert_value(&tree, "inventories", g_variant_builder_end(&inventories));
    return g_variant_dict_end(&tree);
}
