/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-request: the parts of a domain as the tree of a request, and their order. */
#include <string.h>

#include "lib/lint/domain-read.h"

/* The first part without which a plan is possible is a finding's place: words that change little
 * come before those that change much. */
static const char *const order[] = {
    "boot.cmdline",
    "iommu.intremap",
    "iommu.caching-mode",
    "iommu.eim",
    "iommu.iotlb",
    "iommu.dma-translation",
    "iommu.aw-bits",
    "iommu.granule",
    "iommu.count",
    "iommu.translate",
    "iommu.model",
    "iommu.is-supported",
    "launch-security.type",
    "hostdevs",
    "guest.vsock",
    "networks",
    "boot.secure-boot",
    "boot.firmware",
    "boot.kernel",
    "guest.os",
    "memory-backing.locked",
    "memory-backing.page-size",
    "memory-max",
    "memory",
    "vcpus",
    "machine",
    "accelerator",
    "arch",
};

static size_t rank(const ViommuDomainPart *part)
{
    size_t i = 0;

    while (i < G_N_ELEMENTS(order) && !g_str_equal(order[i], part->key))
        i++;
    return i;
}

static int compare_parts(gconstpointer a, gconstpointer b)
{
    size_t left = rank(*(ViommuDomainPart *const *)a), right = rank(*(ViommuDomainPart *const *)b);

    return left < right ? -1 : left > right;
}

void viommu_domain_sort_parts(ViommuDomainRead *read)
{
    g_ptr_array_sort(read->parts, compare_parts);
}

GVariant *viommu_domain_request(const ViommuDomainRead *read)
{
    static const char *const groups[] = {"iommu", "boot", "guest", "memory-backing", "launch-security"};
    static const char *const lists[] = {"hostdevs", "networks"};
    GVariantDict tree, inner[G_N_ELEMENTS(groups)];
    GVariantBuilder list[G_N_ELEMENTS(lists)];
    bool in_group[G_N_ELEMENTS(groups)] = {false}, in_list[G_N_ELEMENTS(lists)] = {false};

    g_variant_dict_init(&tree, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        g_variant_dict_init(&inner[i], NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        g_variant_builder_init(&list[i], G_VARIANT_TYPE("av"));
    for (guint p = 0; p < read->parts->len; p++) {
        const ViommuDomainPart *part = g_ptr_array_index(read->parts, p);
        const char *dot = strchr(part->key, '.');
        bool taken = part->dropped;

        /* Without its model, an IOMMU is still wanted. */
        if (taken && g_str_equal(part->key, "iommu.model")) {
            g_variant_dict_insert(&inner[0], "is-supported", "b", true);
            in_group[0] = true;
        }
        for (size_t i = 0; !taken && dot && i < G_N_ELEMENTS(groups); i++)
            if (strncmp(part->key, groups[i], (size_t)(dot - part->key)) == 0) {
                g_variant_dict_insert_value(&inner[i], dot + 1, part->value);
                taken = in_group[i] = true;
            }
        for (size_t i = 0; !taken && i < G_N_ELEMENTS(lists); i++)
            if (g_str_equal(part->key, lists[i])) {
                g_variant_builder_add(&list[i], "v", part->value);
                taken = in_list[i] = true;
            }
        if (!taken)
            g_variant_dict_insert_value(&tree, part->key, part->value);
    }
    for (size_t i = 0; i < G_N_ELEMENTS(groups); i++)
        if (in_group[i])
            g_variant_dict_insert_value(&tree, groups[i], g_variant_dict_end(&inner[i]));
        else
            g_variant_dict_clear(&inner[i]);
    for (size_t i = 0; i < G_N_ELEMENTS(lists); i++)
        if (in_list[i])
            g_variant_dict_insert_value(&tree, lists[i], g_variant_builder_end(&list[i]));
        else
            g_variant_builder_clear(&list[i]);
    return g_variant_dict_end(&tree);
}
