/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-memory: NUMA nodes with their memory and huge pages. */
#include <string.h>

#include "lib/base/quantity.h"
#include "lib/host/topology-internal.h"

#define NODES "sys/devices/system/node"

/* The number between @before and " kB" or whatever follows; false when @before is not there. */
static bool number_after(const char *text, const char *before, uint64_t *ret_number)
{
    const char *place = text ? strstr(text, before) : NULL;
    g_autofree char *word = NULL;

    if (!place)
        return false;
    place += strlen(before);
    place += strspn(place, " ");
    word = g_strndup(place, strspn(place, "0123456789"));
    return g_ascii_string_to_unsigned(word, 10, 0, G_MAXUINT64 - 1, ret_number, NULL);
}

/* "hugepages-2048kB" */
static bool parse_page_directory(const char *name, uint64_t *ret_bytes)
{
    uint64_t kib;

    return g_str_has_suffix(name, "kB") && number_after(name, "hugepages-", &kib) && kib > 0 &&
           viommu_quantity_mul_add(kib, VIOMMU_KIB, 0, ret_bytes);
}

static int compare_sizes(const void *a, const void *b)
{
    uint64_t one = (*(ViommuHugePages *const *)a)->size_bytes,
             other = (*(ViommuHugePages *const *)b)->size_bytes;

    return one < other ? -1 : one > other;
}

static void read_huge_pages(const ViommuRoot *root, ViommuNode *node)
{
    g_autofree char *path = g_strdup_printf(NODES "/node%" G_GUINT64_FORMAT "/hugepages", node->node);
    g_auto(GStrv) names = viommu_root_list(root, "%s", path);

    for (size_t i = 0; names && names[i] && i < 16; i++) {
        uint64_t bytes;
        ViommuHugePages *pages;

        if (!parse_page_directory(names[i], &bytes))
            continue;
        pages = viommu_topology_add(&node->huge_pages, &viommu_topology_huge_pages_fields);
        pages->size_bytes = bytes;
        (void)viommu_root_number(root, &pages->total, "%s/%s/nr_hugepages", path, names[i]);
        (void)viommu_root_number(root, &pages->free, "%s/%s/free_hugepages", path, names[i]);
    }
    if (node->huge_pages)
        g_ptr_array_sort(node->huge_pages, compare_sizes);
}

static void read_node(const ViommuRoot *root, ViommuNode *node)
{
    g_autofree char *meminfo = viommu_root_text(root, NODES "/node%" G_GUINT64_FORMAT "/meminfo", node->node);
    uint64_t kib;

    if (number_after(meminfo, "MemTotal:", &kib) &&
        !viommu_quantity_mul_add(kib, VIOMMU_KIB, 0, &node->memory_bytes))
        node->memory_bytes = VIOMMU_UNSET_NUMBER;
    read_huge_pages(root, node);
}

static int compare_nodes(const void *a, const void *b)
{
    uint64_t one = (*(ViommuNode *const *)a)->node, other = (*(ViommuNode *const *)b)->node;

    return one < other ? -1 : one > other;
}

/* A page of entries of eight bytes maps a huge page: ordinary pages of 2^n have huge ones of
 * 2^(2n-3).  Where that is not said, the sizes that the kernel can make tell. */
void viommu_topology_read_page_size(const ViommuRoot *root, ViommuTopology *topology)
{
    /* Each is made with one size of ordinary pages alone, on aarch64. */
    static const struct {
        unsigned huge_kib;
        uint64_t bytes;
    } kinds[] = {{524288, 64 * VIOMMU_KIB}, {64, 4 * VIOMMU_KIB}, {32768, 16 * VIOMMU_KIB}};
    uint64_t huge_bytes = 0;

    (void)viommu_root_number(root, &huge_bytes, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size");
    for (uint64_t bytes = 4 * VIOMMU_KIB; bytes <= 64 * VIOMMU_KIB; bytes *= 2)
        if (bytes * (bytes / 8) == huge_bytes)
            topology->page_bytes = bytes;
    for (size_t i = 0; i < G_N_ELEMENTS(kinds) && topology->page_bytes == VIOMMU_UNSET_NUMBER; i++)
        if (viommu_root_exists(root, "sys/kernel/mm/hugepages/hugepages-%ukB", kinds[i].huge_kib))
            topology->page_bytes = kinds[i].bytes;
}

void viommu_topology_read_nodes(const ViommuRoot *root, ViommuTopology *topology)
{
    g_auto(GStrv) names = viommu_root_list(root, NODES);

    for (size_t i = 0; names && names[i]; i++) {
        uint64_t number;
        ViommuNode *node;

        if (!g_str_has_prefix(names[i], "node") ||
            !g_ascii_string_to_unsigned(names[i] + 4, 10, 0, 1023, &number, NULL))
            continue;
        node = viommu_topology_add(&topology->nodes, &viommu_topology_node_fields);
        node->node = number;
        read_node(root, node);
        if (topology->nodes->len == VIOMMU_TOPOLOGY_NODES_MAX)
            break;
    }
    if (topology->nodes)
        g_ptr_array_sort(topology->nodes, compare_nodes);
}
