/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/fleet/node.h"

#include <inttypes.h>
#include <string.h>

#include "lib/base/quantity.h"
#include "lib/host/host-class.h"
#include "lib/plan/offered-models.h"
#include "lib/policy/device-policy.h"
#include "lib/request/request-check.h"

/* As many digits as a class has. */
#define IMAGE_DIGITS 12

/* --- Generic resources --- */

static void gres_free(void *data)
{
    ViommuFleetGres *gres = data;

    g_free(gres->name);
    g_free(gres);
}

GPtrArray *viommu_fleet_gres_new(void)
{
    return g_ptr_array_new_with_free_func(gres_free);
}

void viommu_fleet_gres_add(GPtrArray *gres, const char *name, uint64_t count)
{
    ViommuFleetGres *added;

    for (guint i = 0; i < gres->len; i++) {
        added = g_ptr_array_index(gres, i);
        if (g_str_equal(added->name, name)) {
            added->count += count;
            return;
        }
    }
    added = g_new0(ViommuFleetGres, 1);
    added->name = g_strdup(name);
    added->count = count;
    g_ptr_array_add(gres, added);
}

char *viommu_fleet_gres_pages(uint64_t page_size_bytes)
{
    static const struct {
        uint64_t bytes;
        char letter;
    } units[] = {{VIOMMU_GIB, 'g'}, {VIOMMU_MIB, 'm'}};

    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
        if (page_size_bytes % units[i].bytes == 0)
            return g_strdup_printf("hugepages_%" PRIu64 "%c", page_size_bytes / units[i].bytes,
                                   units[i].letter);
    return g_strdup_printf("hugepages_%" PRIu64 "k", page_size_bytes / VIOMMU_KIB);
}

char *viommu_fleet_gres_device(uint64_t vendor, uint64_t device)
{
    return g_strdup_printf("pci_%04" PRIx64 "_%04" PRIx64, vendor, device);
}

char *viommu_fleet_gres_words(const GPtrArray *gres)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < gres->len; i++) {
        const ViommuFleetGres *one = g_ptr_array_index(gres, i);

        g_string_append_printf(text, "%s%s:%" PRIu64, i ? "," : "", one->name, one->count);
    }
    return g_string_free(text, FALSE);
}

char *viommu_fleet_image_feature(const char *digest)
{
    return g_strdup_printf(VIOMMU_FLEET_IMAGE_PREFIX "%.*s", IMAGE_DIGITS,
                           digest + strlen(VIOMMU_DIGEST_PREFIX));
}

/* --- Memory --- */

static uint64_t count_pages(const ViommuHost *host, GPtrArray *gres)
{
    const GPtrArray *nodes = host->topology.nodes;
    uint64_t bytes = 0;

    for (guint i = 0; nodes && i < nodes->len; i++) {
        const GPtrArray *pools = ((const ViommuNode *)g_ptr_array_index(nodes, i))->huge_pages;
        for (guint j = 0; pools && j < pools->len; j++) {
            const ViommuHugePages *pages = g_ptr_array_index(pools, j);
            g_autofree char *name = viommu_fleet_gres_pages(pages->size_bytes);
            if (pages->total == VIOMMU_UNSET_NUMBER || pages->total == 0)
                continue;
            viommu_fleet_gres_add(gres, name, pages->total);
            bytes += pages->total * pages->size_bytes;
        }
    }
    return bytes;
}

/* A launch beyond the site's limits would be refused, whatever is free. */
static uint64_t within(uint64_t amount, uint64_t limit)
{
    return limit ? MIN(amount, limit) : amount;
}

static uint64_t memory_left(const ViommuFleetNodeInput *input, uint64_t huge_bytes)
{
    uint64_t kept = huge_bytes + input->policy->locked_reserve_bytes, memory = input->host->memory_bytes;

    if (memory == VIOMMU_UNSET_NUMBER || memory <= kept)
        return 0;
    return within(memory - kept, input->most_memory_bytes) / VIOMMU_MIB;
}

/* --- Devices --- */

/* Whether a guest of a member can have it, as soon as no other guest has. */
static bool is_offered(const ViommuPciDevice *device, const ViommuSite *site)
{
    const ViommuAsker member = {.kind = VIOMMU_ASKER_MEMBER};

    if (viommu_pci_device_is_bridge(device) || viommu_pci_device_is_unknown(device) || device->uses ||
        device->direct_regions || device->group == VIOMMU_UNSET_NUMBER)
        return false;
    return site ? !viommu_device_policy_is_beyond(site, &member, device)
                : viommu_device_policy_is_free(device);
}

/* All devices of a group are assigned together. */
static bool is_group_offered(const GPtrArray *devices, uint64_t group, const ViommuSite *site)
{
    for (guint i = 0; i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (device->group == group && !viommu_pci_device_is_bridge(device) && !is_offered(device, site))
            return false;
    }
    return true;
}

static void count_devices(const ViommuHost *host, const ViommuSite *site, GPtrArray *gres)
{
    const GPtrArray *devices = host->topology.devices;

    for (guint i = 0; devices && i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (is_offered(device, site) && is_group_offered(devices, device->group, site)) {
            g_autofree char *name = viommu_fleet_gres_device(device->vendor, device->device);

            viommu_fleet_gres_add(gres, name, 1);
        }
    }
}

/* --- Features --- */

static void add_models(GPtrArray *features, const char *prefix, ViommuArch arch, unsigned models)
{
    for (int model = 0; model < VIOMMU_MODEL_LAST; model++)
        if (models & (1u << model))
            g_ptr_array_add(features, g_strdup_printf("%s_%s_%s", prefix, viommu_arch_to_string(arch),
                                                      viommu_model_to_string((ViommuModel)model)));
}

static void add_features(ViommuFleetNode *node, const ViommuFleetNodeInput *input)
{
    ViommuOffer offer;

    g_ptr_array_add(node->features, g_strdup("viommu"));
    viommu_offer_of_host(input->host, input->policy, &offer);
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        add_models(node->features, "viommu", (ViommuArch)arch, offer.models[arch]);
    for (int arch = 0; arch < VIOMMU_ARCH_LAST; arch++)
        add_models(node->features, "viommu_kvm", (ViommuArch)arch, offer.by_kvm[arch]);
    for (guint i = 0; input->digests && i < input->digests->len; i++)
        g_ptr_array_add(node->features, viommu_fleet_image_feature(g_ptr_array_index(input->digests, i)));
    g_ptr_array_add(node->features, g_strdup(node->class));
}

/* --- The node --- */

ViommuFleetNode *viommu_fleet_node_new(const ViommuFleetNodeInput *input)
{
    ViommuFleetNode *node = g_new0(ViommuFleetNode, 1);

    node->features = g_ptr_array_new_with_free_func(g_free);
    node->gres = viommu_fleet_gres_new();
    node->cpus = within(input->cpus, input->most_vcpus);
    node->class = viommu_host_class(input->host);
    count_devices(input->host, input->site, node->gres);
    node->memory_mib = memory_left(input, count_pages(input->host, node->gres));
    add_features(node, input);
    return node;
}

void viommu_fleet_node_free(ViommuFleetNode *node)
{
    if (!node)
        return;
    g_free(node->class);
    g_ptr_array_unref(node->features);
    g_ptr_array_unref(node->gres);
    g_free(node);
}

char *viommu_fleet_node_words(const ViommuFleetNode *node)
{
    GString *text = g_string_new(NULL);
    g_autofree char *gres = viommu_fleet_gres_words(node->gres);

    if (node->cpus)
        g_string_append_printf(text, "CPUs=%" PRIu64 " ", node->cpus);
    if (node->memory_mib)
        g_string_append_printf(text, "RealMemory=%" PRIu64 " ", node->memory_mib);
    for (guint i = 0; i < node->features->len; i++)
        g_string_append_printf(text, "%s%s",
                               i ? "," : "Feature=", (const char *)g_ptr_array_index(node->features, i));
    if (*gres)
        g_string_append_printf(text, " Gres=%s", gres);
    return g_string_free(text, FALSE);
}

GVariant *viommu_fleet_node_to_variant(const ViommuFleetNode *node)
{
    GVariantBuilder gres;
    GVariantDict tree;

    g_variant_builder_init(&gres, G_VARIANT_TYPE("a{sv}"));
    for (guint i = 0; i < node->gres->len; i++) {
        const ViommuFleetGres *one = g_ptr_array_index(node->gres, i);

        g_variant_builder_add(&gres, "{sv}", one->name, g_variant_new_uint64(one->count));
    }
    g_variant_dict_init(&tree, NULL);
    g_variant_dict_insert(&tree, "class", "s", node->class);
    if (node->cpus)
        g_variant_dict_insert(&tree, "cpus", "t", node->cpus);
    if (node->memory_mib)
        g_variant_dict_insert(&tree, "memory-mib", "t", node->memory_mib);
    g_variant_dict_insert_value(
        &tree, "features",
        g_variant_new_strv((const char *const *)node->features->pdata, (gssize)node->features->len));
    g_variant_dict_insert_value(&tree, "gres", g_variant_builder_end(&gres));
    return g_variant_dict_end(&tree);
}
