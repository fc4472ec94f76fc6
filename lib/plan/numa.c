/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/numa.h"

#define MIB (UINT64_C(1) << 20)

/* The node of the devices on @expander, which are behind one IOMMU and so near each other. */
static uint64_t node_of(const ViommuNumaInput *input, const ViommuPcieExpander *expander)
{
    for (guint i = 0; i < input->placement->devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(input->placement->devices, i);

        if (g_strcmp0(device->iommu, expander->iommu) == 0)
            return device->node;
    }
    return VIOMMU_UNSET_NUMBER;
}

static int compare_nodes(const void *a, const void *b)
{
    uint64_t one = ((const ViommuNumaCell *)a)->host_node, other = ((const ViommuNumaCell *)b)->host_node;

    return (one > other) - (one < other);
}

static int find_cell(const GArray *cells, uint64_t node)
{
    for (guint i = 0; i < cells->len; i++)
        if (g_array_index(cells, ViommuNumaCell, i).host_node == node)
            return (int)i;
    return VIOMMU_UNSET;
}

/* Clears the list when a node is not known. */
static void collect(const ViommuNumaInput *input, const ViommuPcie *pcie, GArray *cells)
{
    for (guint i = 0; i < pcie->expanders->len; i++) {
        ViommuNumaCell cell = {.host_node = node_of(input, viommu_pcie_expander(pcie, i))};

        if (cell.host_node == VIOMMU_UNSET_NUMBER) {
            g_array_set_size(cells, 0);
            return;
        }
        if (find_cell(cells, cell.host_node) == VIOMMU_UNSET)
            g_array_append_val(cells, cell);
    }
    g_array_sort(cells, compare_nodes);
}

/* The first cell takes the remainder. */
static void share_out(const ViommuNumaInput *input, uint64_t unit, GArray *cells)
{
    uint64_t vcpu = 0, each = input->memory_bytes / cells->len / unit * unit;

    for (guint i = 0; i < cells->len; i++) {
        ViommuNumaCell *cell = &g_array_index(cells, ViommuNumaCell, i);

        cell->vcpus = input->vcpus / cells->len + (i < input->vcpus % cells->len);
        cell->first_vcpu = vcpu;
        vcpu += cell->vcpus;
        cell->memory_bytes = i > 0 ? each : input->memory_bytes - each * (cells->len - 1);
    }
}

GArray *viommu_numa_divide(const ViommuNumaInput *input, ViommuPcie *pcie, char **ret_lost)
{
    GArray *cells = g_array_new(FALSE, FALSE, sizeof(ViommuNumaCell));
    uint64_t unit = MAX(input->page_size_bytes, MIB);
    bool enough;

    *ret_lost = NULL;
    collect(input, pcie, cells);
    enough = input->vcpus >= cells->len && input->memory_bytes / unit >= cells->len;
    if (cells->len > 1 && !enough)
        *ret_lost = g_strdup_printf(
            "the devices are on %u NUMA nodes, but the guest has too few vCPUs or too little memory for as many NUMA cells: it has none, and cannot tell which CPUs and memory a device is close to; request at least %u vCPUs",
            cells->len, cells->len);
    if (cells->len < 2 || !enough) {
        g_array_set_size(cells, 0);
        return cells;
    }
    share_out(input, unit, cells);
    for (guint i = 0; i < pcie->expanders->len; i++) {
        ViommuPcieExpander *expander = &g_array_index(pcie->expanders, ViommuPcieExpander, i);

        expander->cell = find_cell(cells, node_of(input, expander));
    }
    return cells;
}
