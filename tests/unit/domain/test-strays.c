/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-strays: a device that is back with its driver, and each way in which it may not be. */
#include "tests/unit/unit.h"

#include "lib/domain/strays.h"
#include "tests/machines/machine.h"

static const HostDevice devices[] = {
    {"0000:01:00.0", 0x8086, 0x1572, 0x020000, "i40e", NULL, "dmar0", 1, -1, NULL},
    {"0000:02:00.0", 0x8086, 0x1572, 0x020000, "vfio-pci", NULL, "dmar0", 2, -1, NULL},
    {"0000:03:00.0", 0x144d, 0xa808, 0x010802, NULL, NULL, "dmar0", 3, -1, NULL},
};

#define ADVICE "; to return devices to the host, run as root: virsh nodedev-reattach "

static const struct {
    const char *taken;
    const char *words; /* NULL: the device is back */
} cases[] = {
    {NULL, NULL},
    {"", NULL},
    {"0000:01:00.0=i40e", NULL},
    {"0000:02:00.0=i40e",
     "device 0000:02:00.0 has driver vfio-pci instead of i40e" ADVICE "pci_0000_02_00_0"},
    {"0000:03:00.0=nvme", "device 0000:03:00.0 has no driver instead of nvme" ADVICE "pci_0000_03_00_0"},
    {"0000:09:00.0=nvme", "device 0000:09:00.0, which had driver nvme, is no longer present"},
    {"0000:01:00.0=i40e 0000:02:00.0=i40e 0000:03:00.0=nvme",
     "device 0000:02:00.0 has driver vfio-pci instead of i40e; device 0000:03:00.0 has no driver instead of "
     "nvme" ADVICE "pci_0000_02_00_0; virsh nodedev-reattach pci_0000_03_00_0"},
    /* A record that viommud did not write. */
    {"0000:02:00.0", NULL},
    {"  = 0000:02:00.0= =i40e", NULL},
};

static void read_hardware(ViommuTopology *topology)
{
    char root[] = "/tmp/viommu-strays-XXXXXX";
    const Host host = {root};
    g_autofree char *remove = NULL;

    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    host_add_iommu(&host, &(HostIommu){.name = "dmar0"});
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        host_add_device(&host, &devices[i]);
    viommu_fields_init(&viommu_topology_fields, topology);
    ck_assert(viommu_topology_read(root, topology, NULL));
    ck_assert_int_eq(system(remove), 0);
}

START_TEST(described)
{
    ViommuTopology topology;

    read_hardware(&topology);
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *words = viommu_strays_describe(cases[i].taken, &topology, NULL);

        ck_assert_pstr_eq(words, cases[i].words);
    }
    viommu_fields_clear(&viommu_topology_fields, &topology);
}
END_TEST

/* The next guest already has it. */
START_TEST(held_by_another)
{
    static const char *const held[] = {"0000:02:00.0", NULL};
    ViommuTopology topology;
    g_autofree char *words = NULL;

    read_hardware(&topology);
    words = viommu_strays_describe("0000:02:00.0=i40e", &topology, held);
    ck_assert_ptr_null(words);
    viommu_fields_clear(&viommu_topology_fields, &topology);
}
END_TEST

START_TEST(nothing_can_be_seen)
{
    ViommuTopology topology;
    g_autofree char *words = NULL;

    viommu_fields_init(&viommu_topology_fields, &topology);
    words = viommu_strays_describe("0000:02:00.0=i40e", &topology, NULL);
    ck_assert_ptr_null(words);
}
END_TEST

UNIT_MAIN("strays", described, held_by_another, nothing_can_be_seen)
