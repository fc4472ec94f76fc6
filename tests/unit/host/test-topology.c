/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-topology: each reader and each check, on machines built for the purpose. */
#include "lib/host/topology.h"

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/quantity.h"
#include "lib/host/host.h"
#include "tests/unit/host/built-machine.h"

static const ViommuPciDevice *device_at(const char *address)
{
    return viommu_topology_device(&topology, address);
}

static guint length_of(const GPtrArray *list)
{
    return list ? list->len : 0;
}

/* --- The root --- */

START_TEST(no_such_root)
{
    g_autoptr(GError) error = NULL;

    ck_assert(!viommu_topology_read("/nowhere/at/all", &topology, &error));
    unit_assert_error(error, VIOMMU_ERROR_NOT_FOUND,
                      "cannot open directory '/nowhere/at/all': No such file or directory");
}
END_TEST

/* An empty root: nothing is known, and nothing is refused. */
START_TEST(an_empty_root)
{
    g_autofree char *reason = NULL;

    read_it();
    ck_assert(topology.present);
    ck_assert_ptr_null(topology.tables);
    ck_assert_ptr_null(topology.iommus);
    ck_assert_ptr_null(topology.devices);
    ck_assert_ptr_null(topology.nodes);
    ck_assert_ptr_null(topology.kernel_options);
    ck_assert_int_eq(topology.acpi, VIOMMU_UNSET);
    ck_assert_int_eq(topology.vfio, VIOMMU_UNSET);
    ck_assert_int_eq(topology.iommufd, VIOMMU_UNSET);
    ck_assert_int_eq((int)viommu_topology_judge(&topology, &reason), VIOMMU_IOMMU_USE_NONE);
    ck_assert_str_eq(reason,
                     "the kernel uses no IOMMU, and there are no ACPI tables that could describe one");
}
END_TEST

/* A recording must not lead out of its directory, by an absolute link or by too many dots. */
START_TEST(links_stay_inside)
{
    g_autoptr(ViommuRoot) opened = viommu_root_open(root, NULL);
    g_autofree char *outside = g_strdup_printf("%s-outside", root), *place = NULL;
    g_autofree char *absolute = g_build_filename(root, "absolute", NULL);
    g_autofree char *dots = g_build_filename(root, "dots", NULL);
    g_autofree char *up = g_strdup_printf("../../../../../..%s", outside);

    ck_assert(g_file_set_contents(outside, "secret", -1, NULL));
    ck_assert_int_eq(symlink(outside, absolute), 0);
    ck_assert_int_eq(symlink(up, dots), 0);
    ck_assert_ptr_null(viommu_root_text(opened, "absolute"));
    ck_assert_ptr_null(viommu_root_text(opened, "dots"));
    ck_assert_ptr_null(viommu_root_text(opened, "../%s", strrchr(outside, '/') + 1));
    /* The same links lead to a file of the recording, where it has that file. */
    host_add_file(&host, outside + 1, "inside\n");
    place = viommu_root_text(opened, "absolute");
    ck_assert_str_eq(place, "inside");
    g_unlink(outside);
}
END_TEST

static void rename_without_end(void)
{
    g_autofree char *one = g_build_filename(root, "one", NULL),
                    *other = g_build_filename(root, "other", NULL);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    host_add_file(&host, "one", "");
    while (getppid() != 1) {
        g_rename(one, other);
        g_rename(other, one);
    }
}

/* The kernel gives up on ".." below a root while anything is renamed anywhere. */
START_TEST(renames_elsewhere)
{
    g_autoptr(ViommuRoot) opened = viommu_root_open(root, NULL);
    pid_t child;

    host_add_file(&host, "a/b/target", "");
    host_add_link(&host, "a/b/link", "a/b");
    host_add_link(&host, "a/b/inner", "a/b/target");
    child = fork();
    if (child == 0) {
        rename_without_end();
        _exit(EXIT_SUCCESS);
    }
    for (int i = 0; i < 2000; i++) {
        g_autofree char *name = viommu_root_link(opened, "a/b/link/link/inner");

        ck_assert_msg(g_strcmp0(name, "target") == 0, "look %d sees %s", i, name);
    }
    kill(child, SIGKILL);
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

START_TEST(odd_files)
{
    g_autoptr(ViommuRoot) opened = viommu_root_open(root, NULL);
    g_autofree char *pipe_place = g_build_filename(root, "pipe", NULL), *large = NULL, *empty = NULL;
    uint64_t number = 7;

    ck_assert_int_eq(mkfifo(pipe_place, 0600), 0);
    ck_assert_ptr_null(viommu_root_text(opened, "pipe"));
    ck_assert_ptr_null(viommu_root_text(opened, "."));
    host_add_file(&host, "not-utf-8", "\xff\xfe");
    ck_assert_ptr_null(viommu_root_text(opened, "not-utf-8"));
    large = g_strnfill(VIOMMU_ROOT_TEXT_MAX + 1, 'x');
    host_add_file(&host, "large", large);
    ck_assert_ptr_null(viommu_root_text(opened, "large"));
    host_add_file(&host, "empty", "");
    empty = viommu_root_text(opened, "empty");
    ck_assert(!empty || !*empty);
    host_add_file(&host, "minus", "-1\n");
    host_add_file(&host, "word", "0xfg\n");
    host_add_file(&host, "huge", "99999999999999999999999\n");
    ck_assert(!viommu_root_number(opened, &number, "minus"));
    ck_assert(!viommu_root_number(opened, &number, "word"));
    ck_assert(!viommu_root_number(opened, &number, "huge"));
    ck_assert(!viommu_root_number(opened, &number, "empty"));
    ck_assert_uint_eq(number, 7);
}
END_TEST

/* --- Widths --- */

START_TEST(widths)
{
    static const struct {
        uint64_t cap, bits;
    } intel[] = {
        {0x1c0000c40660462, 39}, /* MGAW 39, page tables for 48: a desktop */
        {0xd2008c40660462, 39},           {0x8d2078c106f0466, 48}, /* a server */
        {0x19ed008c40780c66, 57},                                  /* page tables of five levels */
        {0x00d2008c222f0686, 48},                                  /* QEMU, aw-bits=48 */
        {0x00d2008c22260286, 39},                                  /* QEMU, aw-bits=39 */
        {(uint64_t)45 << 16 | 0x400, 46},                          /* a small MGAW */
        {0, VIOMMU_UNSET_NUMBER},                                  /* interrupt remapping only */
    };
    static const struct {
        const char *features;
        uint64_t bits;
    } amd[] = {
        {"246577efa2254afa", 64},   /* up to 5.10 */
        {"0:246577efa2254afa", 64}, /* 5.11 to 6.6 */
        {"246577efa2254afa:0", 64}, /* since 6.7 */
        {"25bf732fa2295afe:1d", 64},
        {"f77ef22294ada", 64},
        {"29d3:0", 64}, /* QEMU */
        {"400:0", 57},
        {"1:0", 48},
        {"c00", VIOMMU_UNSET_NUMBER},
        {"0:0", VIOMMU_UNSET_NUMBER},
        {"", VIOMMU_UNSET_NUMBER},
        {"xyz", VIOMMU_UNSET_NUMBER},
        {"1:2:3:4", VIOMMU_UNSET_NUMBER},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(intel); i++)
        ck_assert_msg(viommu_iommu_width_intel(intel[i].cap) == intel[i].bits, "%zu: %d", i,
                      (int)viommu_iommu_width_intel(intel[i].cap));
    for (size_t i = 0; i < G_N_ELEMENTS(amd); i++)
        ck_assert_msg(viommu_iommu_width_amd(amd[i].features) == amd[i].bits, "%s: %d", amd[i].features,
                      (int)viommu_iommu_width_amd(amd[i].features));
}
END_TEST

START_TEST(kinds_of_iommus)
{
    static const struct {
        HostIommu iommu;
        int kind;
    } rows[] = {
        {{.name = "dmar2", .cap = "1c0000c40660462"}, VIOMMU_IOMMU_KIND_INTEL},
        {{.name = "dmar10", .cap = "nonsense"}, VIOMMU_IOMMU_KIND_INTEL},
        {{.name = "ivhd0", .parent = "pci0000:00/0000:00:00.2", .features = "1:0"}, VIOMMU_IOMMU_KIND_AMD},
        {{.name = "smmu3.0x0000000009050000", .parent = "platform/arm-smmu-v3.0.auto"},
         VIOMMU_IOMMU_KIND_SMMUV3},
        {{.name = "smmu.0x000000002b400000", .parent = "platform/2b400000.iommu"}, VIOMMU_IOMMU_KIND_SMMU},
        {{.name = "0000:00:02.0", .parent = "pci0000:00/0000:00:02.0/virtio1", .driver = "virtio_iommu"},
         VIOMMU_IOMMU_KIND_VIRTIO},
        {{.name = "riscv-iommu.0", .parent = "platform/riscv"}, VIOMMU_IOMMU_KIND_OTHER},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        host_add_iommu(&host, &rows[i].iommu);
    read_it();
    ck_assert_uint_eq(length_of(topology.iommus), G_N_ELEMENTS(rows));
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++)
        ck_assert_int_eq(viommu_topology_iommu(&topology, rows[i].iommu.name)->kind, rows[i].kind);
    ck_assert_uint_eq(viommu_topology_iommu(&topology, "dmar2")->width_bits, 39);
    ck_assert_uint_eq(viommu_topology_iommu(&topology, "ivhd0")->width_bits, 48);
    ck_assert_uint_eq(viommu_topology_iommu(&topology, "dmar10")->width_bits, VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(viommu_topology_iommu(&topology, "0000:00:02.0")->width_bits, VIOMMU_UNSET_NUMBER);
    ck_assert_ptr_null(viommu_topology_iommu(&topology, "dmar0"));
    ck_assert_ptr_null(viommu_topology_iommu(&topology, NULL));
    /* In the order of numbers, not of letters. */
    ck_assert_str_eq(((ViommuHostIommu *)topology.iommus->pdata[1])->name, "dmar2");
    ck_assert_str_eq(((ViommuHostIommu *)topology.iommus->pdata[2])->name, "dmar10");
}
END_TEST

/* --- Devices --- */

START_TEST(a_device)
{
    static const HostDevice nic = {"0000:01:00.0", 0x8086,  0x1572, 0x020000, "vfio-pci",
                                   "0000:00:1c.0", "dmar0", 17,     1,        "vfio3"};
    static const HostDevice bare = {"0000:00:1f.0", 0x8086,        1,  0x058000, NULL, NULL,
                                    NULL,           HOST_NO_GROUP, -1, NULL};
    const ViommuPciDevice *device;

    host_add_iommu(&host, &(HostIommu){.name = "dmar0"});
    host_add_device(&host, &nic);
    host_add_device(&host, &bare);
    read_it();
    device = device_at("0000:01:00.0");
    ck_assert_ptr_nonnull(device);
    ck_assert_uint_eq(device->vendor, 0x8086);
    ck_assert_uint_eq(device->device, 0x1572);
    ck_assert_uint_eq(device->class_code, 0x020000);
    ck_assert_str_eq(device->driver, "vfio-pci");
    ck_assert_str_eq(device->iommu, "dmar0");
    ck_assert_str_eq(device->cdev, "vfio3");
    ck_assert_uint_eq(device->group, 17);
    ck_assert_uint_eq(device->node, 1);
    device = device_at("0000:00:1f.0");
    ck_assert_ptr_nonnull(device);
    ck_assert_ptr_null(device->driver);
    ck_assert_ptr_null(device->iommu);
    ck_assert_ptr_null(device->cdev);
    ck_assert_uint_eq(device->group, VIOMMU_UNSET_NUMBER);
    ck_assert_uint_eq(device->node, VIOMMU_UNSET_NUMBER);
    ck_assert_ptr_null(device_at("0000:ff:00.0"));
}
END_TEST

START_TEST(bridges_that_matter)
{
    static const HostDevice devices[] = {
        {"0000:00:01.0", 0x8086, 1, 0x060400, "pcieport", NULL, NULL, 1, -1, NULL},
        {"0000:00:02.0", 0x8086, 2, 0x060400, "pcieport", NULL, NULL, 2, -1, NULL},
        {"0000:00:03.0", 0x8086, 3, 0x060400, NULL, NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:01:00.0", 0x10de, 4, 0x030000, NULL, "0000:00:01.0", NULL, 1, -1, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        host_add_device(&host, &devices[i]);
    read_it();
    ck_assert_uint_eq(length_of(topology.devices), 2);
    ck_assert(viommu_pci_device_is_bridge(device_at("0000:00:01.0")));
    ck_assert(!viommu_pci_device_is_bridge(device_at("0000:01:00.0")));
    ck_assert_str_eq(viommu_pci_device_noun(device_at("0000:01:00.0")), "display");
}
END_TEST

/* Three lines of a GPU, a damaged one, a bridge's window behind the six BARs, and small ones. */
START_TEST(large_bars)
{
    static const struct {
        const char *resource;
        uint64_t bytes;
    } rows[] = {
        {"0x00000000fa000000 0x00000000faffffff 0x0000000000040200\n"
         "0x0000380000000000 0x00003807ffffffff 0x000000000014220c\n"
         "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
         "0x0000380800000000 0x0000380801ffffff 0x000000000014220c\n",
         32 * VIOMMU_GIB + 32 * VIOMMU_MIB},
        {"0x0000380000000000 0x00003807ffffffff\n0x0 0xffffffffffffffff x\n", VIOMMU_UNSET_NUMBER},
        {"1\n2\n3\n4\n5\n6\n0x0000380000000000 0x00003807ffffffff 0x000000000014220c\n", VIOMMU_UNSET_NUMBER},
        {"0x0000380000000000 0x000038000fffffff 0x000000000014220c\n", VIOMMU_UNSET_NUMBER},
        {"0x0000000000000000 0xffffffffffffffff 0x000000000014220c\n", VIOMMU_UNSET_NUMBER},
    };

    static const HostDevice device = {"0000:01:00.0", 0x10de, 1, 0x030200, NULL, NULL, NULL, 5, -1, NULL};

    host_add_device(&host, &device);
    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        host_add_file(&host, "sys/bus/pci/devices/0000:01:00.0/resource", rows[i].resource);
        read_it();
        ck_assert_uint_eq(device_at("0000:01:00.0")->large_bar_bytes, rows[i].bytes);
    }
}
END_TEST

/* VFIO's no-IOMMU mode, devices whose files are invalid, and what is no device. */
START_TEST(devices_that_do_not_count)
{
    static const HostDevice device = {"0000:01:00.0", 0x8086, 1, 0x020000, NULL, NULL, NULL, 5, -1, NULL};
    g_autofree char *reason = NULL;

    host_add_device(&host, &device);
    host_set_noiommu(&host, 5);
    host_add_file(&host, "sys/bus/pci/devices/0000:02:00.0/vendor", "0x8086\n");
    host_add_file(&host, "sys/bus/pci/devices/0000:03:00.0/vendor", "0x18086\n");
    host_add_file(&host, "sys/bus/pci/devices/0000:03:00.0/device", "0x1\n");
    host_add_file(&host, "sys/bus/pci/devices/0000:03:00.0/class", "0x020000\n");
    host_add_file(&host, "sys/bus/pci/devices/0000:04:00.0", "a file");
    host_add_file(&host, "sys/bus/pci/devices/0000:05:00.0/vendor", "0x8086\n");
    host_add_file(&host, "sys/bus/pci/devices/0000:05:00.0/device", "0x1\n");
    host_add_file(&host, "sys/bus/pci/devices/0000:05:00.0/class", "020000\n");
    read_it();
    ck_assert_uint_eq(length_of(topology.devices), 4);
    ck_assert_uint_eq(device_at("0000:01:00.0")->group, VIOMMU_UNSET_NUMBER);
    ck_assert(viommu_pci_device_is_unknown(device_at("0000:02:00.0")));
    ck_assert(viommu_pci_device_is_unknown(device_at("0000:03:00.0")));
    ck_assert(viommu_pci_device_is_unknown(device_at("0000:05:00.0")));
    ck_assert_int_eq((int)viommu_topology_judge(&topology, &reason), VIOMMU_IOMMU_USE_NONE);
}
END_TEST

/* --- Tables --- */

static const uint64_t good_base[] = {0xfed90000}, ones_base[] = {UINT64_MAX};
static const HostSmmu its_only[] = {{0, 0}, {2, 0}};

START_TEST(tables_of_a_machine)
{
    const ViommuAcpiTable *table;
    g_autofree char *secret = g_build_filename(root, "sys/firmware/acpi/tables/IVRS", NULL);

    host_add_acpi(&host);
    host_add_dmar(&host, good_base, 1);
    host_add_iort(&host, its_only, 2);
    host_add_ivrs(&host, good_base, 1);
    ck_assert_int_eq(g_chmod(secret, 0), 0);
    read_it();
    ck_assert_int_eq(topology.acpi, 1);
    ck_assert_uint_eq(length_of(topology.tables), 3);
    table = topology.tables->pdata[0];
    ck_assert_str_eq(table->name, "DMAR");
    ck_assert_int_eq(table->state, VIOMMU_TABLE_STATE_GOOD);
    ck_assert_uint_eq(table->units, 1);
    ck_assert_ptr_null(table->problem);
    table = topology.tables->pdata[2];
    ck_assert_str_eq(table->name, "IORT");
    ck_assert_int_eq(table->state, VIOMMU_TABLE_STATE_BROKEN);
    ck_assert_str_eq(table->problem, "it has no SMMU node");
    table = topology.tables->pdata[1];
    /* Root reads everything. */
    ck_assert_int_eq(table->state, geteuid() == 0 ? VIOMMU_TABLE_STATE_GOOD : VIOMMU_TABLE_STATE_UNREAD);
}
END_TEST

/* --- Memory and kernel --- */

START_TEST(memory_of_nodes)
{
    const ViommuNode *node;
    const ViommuHugePages *pages;

    host_add_node(&host, 10, 1024);
    host_add_node(&host, 2, 2048);
    host_add_huge_pages(&host, 2, 2048, 100, 40);
    host_add_file(&host, "sys/devices/system/node/nodeX/meminfo", "no");
    host_add_file(&host, "sys/devices/system/node/node2/hugepages/hugepages-16GB/nr_hugepages", "1\n");
    host_add_file(&host, "sys/devices/system/node/possible", "0-10\n");
    read_it();
    ck_assert_uint_eq(length_of(topology.nodes), 2);
    node = topology.nodes->pdata[0];
    ck_assert_uint_eq(node->node, 2);
    ck_assert_uint_eq(node->memory_bytes, 2 * VIOMMU_GIB);
    ck_assert_uint_eq(length_of(node->huge_pages), 2);
    pages = node->huge_pages->pdata[0];
    ck_assert_uint_eq(pages->size_bytes, 2 * VIOMMU_MIB);
    ck_assert_uint_eq(pages->total, 100);
    ck_assert_uint_eq(pages->free, 40);
    pages = node->huge_pages->pdata[1];
    ck_assert_uint_eq(pages->size_bytes, VIOMMU_GIB);
    ck_assert_uint_eq(pages->total, 0);
}
END_TEST

START_TEST(usable_nodes)
{
    static const HostDevice device = {"0000:01:00.0", 0x8086, 1, 0x020000, "vfio-pci",
                                      NULL,           NULL,   5, -1,       NULL};
    g_autofree char *node = g_build_filename(root, "dev/vfio/5", NULL);

    host_add_device(&host, &device);
    read_it();
    ck_assert_int_eq(device_at("0000:01:00.0")->usable, VIOMMU_UNSET);
    ck_assert_int_eq(topology.iommufd_usable, VIOMMU_UNSET);
    host_add_file(&host, "dev/vfio/5", "");
    host_add_file(&host, "dev/iommu", "");
    read_it();
    ck_assert_int_eq(device_at("0000:01:00.0")->usable, 1);
    ck_assert_int_eq(topology.iommufd_usable, 1);
    /* Root may open anything. */
    ck_assert_int_eq(chmod(node, 0444), 0);
    read_it();
    ck_assert_int_eq(device_at("0000:01:00.0")->usable, geteuid() == 0);
}
END_TEST

START_TEST(kernel_options)
{
    g_autofree char *words = NULL;

    host_set_command_line(&host,
                          "root=UUID=1 rd.luks.key=secret intel_iommu=on,sm_on iommu=pt iommu.strict=1 "
                          "vfio-pci.ids=10de:1f36 notiommu=1 vfio_iommu_type1.allow_unsafe_interrupts=1");
    read_it();
    words = g_strjoinv(" ", topology.kernel_options);
    ck_assert_str_eq(words, "intel_iommu=on,sm_on iommu=pt iommu.strict=1 vfio-pci.ids=10de:1f36 "
                            "vfio_iommu_type1.allow_unsafe_interrupts=1");
    /* A full /dev, but without /dev/vfio and /dev/iommu. */
    ck_assert_int_eq(topology.vfio, 0);
    ck_assert_int_eq(topology.iommufd, 0);
    host_add_vfio(&host, false);
    host_add_file(&host, "sys/class/misc/iommu/dev", "10:58\n");
    read_it();
    ck_assert_int_eq(topology.vfio, 1);
    ck_assert_int_eq(topology.iommufd, 1);
}
END_TEST

/* --- The verdict --- */

static void judge(ViommuIommuUse use, const char *reason)
{
    g_autofree char *found = NULL;

    read_it();
    ck_assert_int_eq((int)viommu_topology_judge(&topology, &found), (int)use);
    ck_assert_str_eq(found, reason);
}

START_TEST(verdicts_on_tables)
{
    host_add_acpi(&host);
    judge(VIOMMU_IOMMU_USE_NONE,
          "the firmware describes no IOMMU (no DMAR, IVRS, IORT or VIOT); if the machine has one, enable "
          "VT-d, AMD-Vi or the SMMU in the firmware setup");
    host_add_dmar(&host, ones_base, 1);
    judge(VIOMMU_IOMMU_USE_NONE,
          "the ACPI table DMAR describes no IOMMU: the address of each hardware unit (DRHD) in "
          "it is zero or all ones");
    host_add_viot(&host, 8);
    judge(VIOMMU_IOMMU_USE_IDLE,
          "the ACPI table VIOT describes 1 IOMMU, but the kernel does not use it: load the "
          "module virtio_iommu");
    host_add_ivrs(&host, good_base, 1);
    judge(VIOMMU_IOMMU_USE_IDLE, "the ACPI table IVRS describes 1 IOMMU, but the kernel does not use it: see "
                                 "'AMD-Vi' in the kernel's log");
    host_add_dmar(&host, good_base, 1);
    judge(VIOMMU_IOMMU_USE_IDLE,
          "the ACPI table DMAR describes 1 IOMMU, but the kernel does not use it: boot with "
          "intel_iommu=on");
    host_set_command_line(&host, "intel_iommu=off");
    judge(VIOMMU_IOMMU_USE_IDLE,
          "the ACPI table DMAR describes 1 IOMMU, but the kernel does not use it: remove "
          "'intel_iommu=off' from its command line");
    host_set_command_line(&host, "iommu=off");
    judge(VIOMMU_IOMMU_USE_IDLE,
          "the ACPI table DMAR describes 1 IOMMU, but the kernel does not use it: remove "
          "'iommu=off' from its command line");
}
END_TEST

START_TEST(verdicts_on_groups)
{
    static const HostDevice device = {"0000:01:00.0", 0x8086, 1, 0x020000, NULL, NULL, NULL, 5, -1, NULL};

    host_add_device(&host, &device);
    judge(VIOMMU_IOMMU_USE_USED,
          "the kernel has put 1 PCI device into groups behind an IOMMU that it does not name");
    host_add_iommu(&host, &(HostIommu){.name = "dmar0"});
    judge(VIOMMU_IOMMU_USE_USED, "the kernel has put 1 PCI device into groups behind dmar0");
    for (int i = 1; i < 7; i++) {
        g_autofree char *name = g_strdup_printf("dmar%d", i);

        host_add_iommu(&host, &(HostIommu){.name = name});
    }
    judge(VIOMMU_IOMMU_USE_USED,
          "the kernel has put 1 PCI device into groups behind dmar0, dmar1, dmar2, dmar3 and 3 more");
}
END_TEST

/* What the files of any machine give can be recorded and read back; this machine's, too. */
static void check_recording(const char *directory)
{
    g_autoptr(ViommuHost) read = viommu_host_new(), again = NULL;
    g_autoptr(GVariant) tree = NULL, tree_again = NULL;
    g_autoptr(GError) error = NULL;

    read->libvirt = VIOMMU_VERSION_OF(9, 0, 0);
    read->emulators = g_ptr_array_new();
    unit_assert_ok(viommu_topology_read(directory, &read->topology, &error), error);
    tree = g_variant_ref_sink(viommu_host_to_variant(read));
    again = viommu_host_from_variant(tree, &error);
    unit_assert_ok(again != NULL, error);
    tree_again = g_variant_ref_sink(viommu_host_to_variant(again));
    ck_assert(g_variant_equal(tree, tree_again));
}

START_TEST(every_machine_can_be_recorded)
{
    check_recording("/");
    for (size_t i = 0; i < n_recordings; i++) {
        g_autofree char *place = g_strdup_printf("%s/%s", root, recordings[i].name);

        recordings[i].build(&(Host){place});
        check_recording(place);
    }
    ck_assert_uint_ge(n_recordings, 8);
}
END_TEST

#define ODD "\033[2J"

/* Names that a recording or a terminal cannot hold are dropped; a driver's presence is kept. */
START_TEST(odd_names)
{
    const HostDevice devices[] = {
        {"0000:01:00.0", 1, 1, 0x020000, ODD, NULL, "dmar" ODD, 1, -1, "vfio" ODD},
        {"0000:02" ODD, 1, 1, 0x020000, NULL, NULL, NULL, 2, -1, NULL},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        host_add_device(&host, &devices[i]);
    host_add_iommu(&host, &(HostIommu){.name = "dmar" ODD});
    host_set_command_line(&host, "iommu=" ODD);
    host_set_kernel(&host, "6.1");
    host_add_file(&host, "lib/modules/6.1/modules.alias", "alias vfio_pci:a " ODD "\nalias vfio_pci: \n");
    check_recording(root);
    read_it();
    ck_assert_uint_eq(length_of(topology.devices), 1);
    ck_assert_uint_eq(length_of(topology.iommus), 0);
    ck_assert_str_eq(device_at("0000:01:00.0")->driver, "?");
    ck_assert_ptr_null(device_at("0000:01:00.0")->iommu);
    ck_assert_ptr_null(device_at("0000:01:00.0")->cdev);
    ck_assert_ptr_null(topology.kernel_options);
    ck_assert_str_eq(topology.vfio_drivers[0], "vfio-pci");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        no_such_root,        an_empty_root,
        links_stay_inside,   renames_elsewhere,
        odd_files,           widths,
        kinds_of_iommus,     a_device,
        bridges_that_matter, devices_that_do_not_count,
        large_bars,          tables_of_a_machine,
        memory_of_nodes,     usable_nodes,
        kernel_options,      verdicts_on_tables,
        verdicts_on_groups,  every_machine_can_be_recorded,
        odd_names,
    };
    TCase *all = tcase_create("topology");

    tcase_add_checked_fixture(all, setup, teardown);
    for (size_t i = 0; i < G_N_ELEMENTS(tests); i++)
        tcase_add_test(all, tests[i]);
    return unit_run_case("topology", all);
}
