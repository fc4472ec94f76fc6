/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/pcie.h"

/* Of a PCI segment. */
#define BUS_NUMBERS 256
/* A root port's own bus, and one for a bridge on the device, as on cards with several functions. */
#define BUS_NUMBERS_PER_PORT 2

/* An expander bus has 32 slots, as many as devices can be assigned; with all of them pcie.0 still
 * has most of the bus numbers. */
G_STATIC_ASSERT(VIOMMU_HOSTDEVS_MAX <= 32);

void viommu_pcie_init(ViommuPcie *pcie)
{
    pcie->expanders = g_array_new(FALSE, FALSE, sizeof(ViommuPcieExpander));
    pcie->ports = g_array_new(FALSE, FALSE, sizeof(ViommuPciePort));
}

void viommu_pcie_clear(ViommuPcie *pcie)
{
    g_clear_pointer(&pcie->expanders, g_array_unref);
    g_clear_pointer(&pcie->ports, g_array_unref);
}

static unsigned next_index(const ViommuPcie *pcie)
{
    return 1 + pcie->expanders->len + pcie->ports->len;
}

static void add_expanders(ViommuPcie *pcie, const ViommuPlacement *placement)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    for (guint i = 0; i < placement->devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);
        ViommuPcieExpander expander = {
            .index = next_index(pcie), .cell = VIOMMU_UNSET, .iommu = device->iommu};

        if (device->iommu && g_hash_table_add(seen, device->iommu))
            g_array_append_val(pcie->expanders, expander);
    }
}

/* Returns the number of ports. */
static unsigned add_ports_of(ViommuPcie *pcie, const ViommuPcieExpander *expander, ViommuPlacement *placement)
{
    unsigned slot = 0;

    for (guint i = 0; i < placement->devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);
        ViommuPciePort port = {.index = next_index(pcie), .parent = expander->index, .slot = slot};

        if (g_strcmp0(device->iommu, expander->iommu) != 0)
            continue;
        device->guest_bus = port.index;
        g_array_append_val(pcie->ports, port);
        slot++;
    }
    return slot;
}

void viommu_pcie_expand(ViommuPcie *pcie, ViommuPlacement *placement)
{
    unsigned top = BUS_NUMBERS;

    /* All expanders first: a bridge's index must be lower than those of the ports on it. */
    add_expanders(pcie, placement);
    for (guint i = 0; i < pcie->expanders->len; i++) {
        ViommuPcieExpander *expander = &g_array_index(pcie->expanders, ViommuPcieExpander, i);

        top -= 1 + BUS_NUMBERS_PER_PORT * add_ports_of(pcie, expander, placement);
        expander->bus_number = top;
    }
}

void viommu_pcie_add_expanders(ViommuPcie *pcie, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ViommuPcieExpander expander = {.index = next_index(pcie),
                                       .bus_number = BUS_NUMBERS - (i + 1) * (1 + BUS_NUMBERS_PER_PORT),
                                       .cell = VIOMMU_UNSET};

        g_array_append_val(pcie->expanders, expander);
    }
    for (unsigned i = 0; i < n; i++) {
        ViommuPciePort port = {.index = next_index(pcie), .parent = viommu_pcie_expander(pcie, i)->index};

        g_array_append_val(pcie->ports, port);
    }
}

void viommu_pcie_add_ports(ViommuPcie *pcie, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        ViommuPciePort port = {.index = next_index(pcie)};

        g_array_append_val(pcie->ports, port);
    }
}
