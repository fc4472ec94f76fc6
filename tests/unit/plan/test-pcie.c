/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-pcie: expander buses by host IOMMU, their bus numbers, free ports, and the NUMA cells. */
#include "lib/plan/numa.h"
#include "lib/plan/pcie.h"
#include "tests/unit/unit.h"

typedef struct Device {
    const char *iommu; /* NULL: not known */
    uint64_t node;
} Device;

static void place(ViommuPlacement *placement, const Device *devices, size_t n)
{
    viommu_placement_init(placement);
    for (size_t i = 0; i < n; i++) {
        ViommuPlacedDevice *placed = g_new0(ViommuPlacedDevice, 1);

        placed->address = g_strdup_printf("0000:%02zx:00.0", i + 1);
        placed->iommu = g_strdup(devices[i].iommu);
        placed->node = devices[i].node;
        g_ptr_array_add(placement->devices, placed);
    }
}

static unsigned bus_of(const ViommuPlacement *placement, guint i)
{
    return ((const ViommuPlacedDevice *)g_ptr_array_index(placement->devices, i))->guest_bus;
}

START_TEST(a_bus_for_each_iommu)
{
    static const Device devices[] = {{"dmar0", 0}, {"dmar1", 1}, {NULL, 0}, {"dmar0", 0}};
    ViommuPlacement placement;
    ViommuPcie pcie;

    place(&placement, devices, G_N_ELEMENTS(devices));
    viommu_pcie_init(&pcie);
    viommu_pcie_expand(&pcie, &placement);
    viommu_pcie_add_ports(&pcie, 2);

    ck_assert_uint_eq(pcie.expanders->len, 2);
    ck_assert_str_eq(viommu_pcie_expander(&pcie, 0)->iommu, "dmar0");
    ck_assert_str_eq(viommu_pcie_expander(&pcie, 1)->iommu, "dmar1");
    /* Two ports with two bus numbers each, and the expander's own. */
    ck_assert_uint_eq(viommu_pcie_expander(&pcie, 0)->bus_number, 256 - 5);
    ck_assert_uint_eq(viommu_pcie_expander(&pcie, 1)->bus_number, 256 - 5 - 3);
    ck_assert_uint_eq(bus_of(&placement, 0), 3);
    ck_assert_uint_eq(bus_of(&placement, 3), 4);
    ck_assert_uint_eq(bus_of(&placement, 1), 5);
    ck_assert_uint_eq(bus_of(&placement, 2), 0);
    ck_assert_uint_eq(pcie.ports->len, 5);
    for (guint i = 0; i < pcie.ports->len; i++) {
        const ViommuPciePort *port = viommu_pcie_port(&pcie, i);

        ck_assert_uint_eq(port->index, 3 + i);
        ck_assert_uint_eq(port->parent, i < 2 ? 1 : i < 3 ? 2 : 0);
        ck_assert_uint_eq(port->slot, i == 1);
    }
    viommu_pcie_clear(&pcie);
    viommu_placement_clear(&placement);
}
END_TEST

/* The most devices possible: the bus numbers suffice, and pcie.0 keeps most of them. */
START_TEST(the_most_devices)
{
    ViommuPlacement placement;
    Device devices[VIOMMU_HOSTDEVS_MAX];
    char names[VIOMMU_HOSTDEVS_MAX][8];
    ViommuPcie pcie;

    for (unsigned i = 0; i < VIOMMU_HOSTDEVS_MAX; i++) {
        g_snprintf(names[i], sizeof(names[i]), "smmu%u", i);
        devices[i] = (Device){names[i], 0};
    }
    place(&placement, devices, VIOMMU_HOSTDEVS_MAX);
    viommu_pcie_init(&pcie);
    viommu_pcie_expand(&pcie, &placement);
    ck_assert_uint_eq(pcie.expanders->len, VIOMMU_HOSTDEVS_MAX);
    for (unsigned i = 1; i < VIOMMU_HOSTDEVS_MAX; i++)
        ck_assert_uint_eq(viommu_pcie_expander(&pcie, i)->bus_number + 3,
                          viommu_pcie_expander(&pcie, i - 1)->bus_number);
    ck_assert_uint_gt(viommu_pcie_expander(&pcie, VIOMMU_HOSTDEVS_MAX - 1)->bus_number, 128);
    viommu_pcie_clear(&pcie);
    viommu_placement_clear(&placement);
}
END_TEST

static const struct {
    Device devices[3];
    uint64_t vcpus, memory_mib, page_size_mib;
    unsigned cells;
    uint64_t first_vcpus, first_mib; /* of the first cell */
    bool lost;
} divisions[] = {
    {{{"a", 0}, {"b", 1}, {"b", 1}}, 4, 1024, 0, 2, 2, 512, false},
    {{{"a", 1}, {"b", 0}, {"b", 0}}, 5, 1025, 0, 2, 3, 513, false},
    {{{"a", 0}, {"b", 4}, {"c", 2}}, 3, 5120, 1024, 3, 1, 3072, false},
    /* One node, but several IOMMUs. */
    {{{"a", 1}, {"b", 1}, {"b", 1}}, 4, 1024, 0, 0, 0, 0, false},
    {{{"a", 0}, {"b", VIOMMU_UNSET_NUMBER}, {"c", 1}}, 4, 1024, 0, 0, 0, 0, false},
    {{{"a", 0}, {"b", 1}, {"c", 2}}, 2, 1024, 0, 0, 0, 0, true},
    {{{"a", 0}, {"b", 1}, {"c", 1}}, 2, 1024, 1024, 0, 0, 0, true},
};

static void check_division(size_t row)
{
    ViommuPlacement placement;
    ViommuPcie pcie;
    g_autofree char *lost = NULL;
    g_autoptr(GArray) cells = NULL;
    uint64_t vcpus = 0, memory = 0;

    place(&placement, divisions[row].devices, 3);
    viommu_pcie_init(&pcie);
    viommu_pcie_expand(&pcie, &placement);
    cells = viommu_numa_divide(&(ViommuNumaInput){&placement, divisions[row].vcpus,
                                                  divisions[row].memory_mib << 20,
                                                  divisions[row].page_size_mib << 20},
                               &pcie, &lost);
    ck_assert_uint_eq(cells->len, divisions[row].cells);
    ck_assert_int_eq(lost != NULL, divisions[row].lost);
    for (guint i = 0; i < cells->len; i++) {
        const ViommuNumaCell *cell = &g_array_index(cells, ViommuNumaCell, i);

        ck_assert_uint_eq(cell->first_vcpu, vcpus);
        ck_assert(i == 0 || cell->host_node > g_array_index(cells, ViommuNumaCell, i - 1).host_node);
        vcpus += cell->vcpus;
        memory += cell->memory_bytes;
    }
    for (guint i = 0; i < pcie.expanders->len; i++) {
        const ViommuPcieExpander *expander = viommu_pcie_expander(&pcie, i);
        const ViommuNumaCell *cell;

        if (cells->len == 0) {
            ck_assert_int_eq(expander->cell, VIOMMU_UNSET);
            continue;
        }
        cell = &g_array_index(cells, ViommuNumaCell, expander->cell);
        for (size_t j = 0; j < 3; j++)
            if (g_str_equal(divisions[row].devices[j].iommu, expander->iommu))
                ck_assert_uint_eq(cell->host_node, divisions[row].devices[j].node);
    }
    if (cells->len > 0) {
        ck_assert_uint_eq(vcpus, divisions[row].vcpus);
        ck_assert_uint_eq(memory, divisions[row].memory_mib << 20);
        ck_assert_uint_eq(g_array_index(cells, ViommuNumaCell, 0).vcpus, divisions[row].first_vcpus);
        ck_assert_uint_eq(g_array_index(cells, ViommuNumaCell, 0).memory_bytes,
                          divisions[row].first_mib << 20);
    }
    viommu_pcie_clear(&pcie);
    viommu_placement_clear(&placement);
}

START_TEST(cells_follow_the_nodes)
{
    for (size_t row = 0; row < G_N_ELEMENTS(divisions); row++)
        check_division(row);
}
END_TEST

/* All expander buses come first; each has a port, whose bus numbers are free. */
START_TEST(buses_for_no_device)
{
    ViommuPcie pcie;

    viommu_pcie_init(&pcie);
    viommu_pcie_add_expanders(&pcie, 2);
    viommu_pcie_add_ports(&pcie, 1);
    ck_assert_uint_eq(pcie.expanders->len, 2);
    ck_assert_uint_eq(pcie.ports->len, 3);
    for (guint i = 0; i < 2; i++) {
        const ViommuPcieExpander *expander = viommu_pcie_expander(&pcie, i);

        ck_assert_uint_eq(expander->index, 1 + i);
        ck_assert_uint_eq(expander->bus_number, 256 - (i + 1) * 3);
        ck_assert_ptr_null(expander->iommu);
        ck_assert_int_eq(expander->cell, VIOMMU_UNSET);
        ck_assert_uint_eq(viommu_pcie_port(&pcie, i)->index, 3 + i);
        ck_assert_uint_eq(viommu_pcie_port(&pcie, i)->parent, 1 + i);
    }
    ck_assert_uint_eq(viommu_pcie_port(&pcie, 2)->parent, 0);
    viommu_pcie_clear(&pcie);
}
END_TEST

UNIT_MAIN("pcie", a_bus_for_each_iommu, buses_for_no_device, the_most_devices, cells_follow_the_nodes)
