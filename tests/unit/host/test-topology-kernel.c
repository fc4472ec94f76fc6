/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-topology-kernel: what the kernel offers and refuses: its version, modules and their
 * parameters, interrupt remapping, regions that the firmware keeps, physical and virtual
 * functions. */
#include "tests/unit/host/built-machine.h"

#include <sys/utsname.h>

#include "lib/base/platform.h"

#define CARD "0000:01:00.0"

static const HostDevice card = {CARD, 0x8086, 0x1572, 0x020000, NULL, "0000:00:1c.0", "dmar0", 7, 0, NULL};

START_TEST(kernel_versions)
{
    struct utsname name;
    ViommuVersion version = 0;
    static const char *const odd[] = {"", "six", "6", "6.", "6.12x"};

    read_it();
    ck_assert_uint_eq(topology.kernel, 0);
    host_set_kernel(&host, "6.12.43+deb13-amd64");
    read_it();
    ck_assert_uint_eq(topology.kernel, VIOMMU_VERSION_OF(6, 12, 43));
    for (size_t i = 0; i < G_N_ELEMENTS(odd); i++) {
        host_set_kernel(&host, odd[i]);
        read_it();
        ck_assert_uint_eq(topology.kernel, 0);
    }
    /* This machine reports it, whatever part of /proc is visible. */
    ck_assert(viommu_topology_read("/", &topology, NULL));
    ck_assert_int_eq(uname(&name), 0);
    ck_assert(viommu_version_parse(name.release, &version));
    ck_assert_uint_eq(topology.kernel, version);
}
END_TEST

START_TEST(processors)
{
    static const struct {
        const char *cpuinfo, *module, *nested;
        int vendor, is_nested;
        uint64_t bits; /* 0: not known */
    } rows[] = {
        {"processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t\t: vmx\n\nprocessor\t: 1\nvendor_id\t: x\n",
         "kvm_intel", "Y\n", VIOMMU_CPU_VENDOR_INTEL, 1, 0},
        {"vendor_id\t: AuthenticAMD\n", "kvm_amd", "1\n", VIOMMU_CPU_VENDOR_AMD, 1, 0},
        {"vendor_id\t: AuthenticAMD\n", "kvm_amd", "0\n", VIOMMU_CPU_VENDOR_AMD, 0, 0},
        {"vendor_id\t: GenuineIntel\n", "kvm_intel", "N\n", VIOMMU_CPU_VENDOR_INTEL, 0, 0},
        {"vendor_id\t: HygonGenuine\n", "kvm", "Y\n", VIOMMU_UNSET, VIOMMU_UNSET, 0},
        {"address sizes\t: 46 bits physical, 48 bits virtual\n", NULL, NULL, VIOMMU_UNSET, VIOMMU_UNSET, 46},
        {"address sizes\t: 4x bits physical, 48 bits virtual\n", NULL, NULL, VIOMMU_UNSET, VIOMMU_UNSET, 0},
        {"address sizes\t: 65 bits physical, 48 bits virtual\n", NULL, NULL, VIOMMU_UNSET, VIOMMU_UNSET, 0},
        {"address sizes\t: 46\naddress sizes", NULL, NULL, VIOMMU_UNSET, VIOMMU_UNSET, 0},
        {"processor\t: 0\nBogoMIPS\t: 50.00\n", NULL, NULL, VIOMMU_UNSET, VIOMMU_UNSET, 0},
    };

    read_it();
    ck_assert_int_eq(topology.cpu_vendor, VIOMMU_UNSET);
    ck_assert_int_eq(topology.nested, VIOMMU_UNSET);
    host_add_file(&host, "proc/cpuinfo", rows[_i].cpuinfo);
    if (rows[_i].module)
        host_set_parameter(&host, rows[_i].module, "nested", rows[_i].nested);
    read_it();
    ck_assert_int_eq(topology.cpu_vendor, rows[_i].vendor);
    ck_assert_int_eq(topology.nested, rows[_i].is_nested);
    ck_assert_uint_eq(topology.cpu_address_bits, rows[_i].bits ? rows[_i].bits : VIOMMU_UNSET_NUMBER);
}
END_TEST
#define N_PROCESSORS 10

/* --- Modules --- */

START_TEST(parameters)
{
    static const struct {
        const char *path, *text;
        int unsafe;
        uint64_t limit;
    } rows[] = {
        {"etc/modprobe.d/x.conf", "options vfio_iommu_type1 allow_unsafe_interrupts=1\n", 1, 0},
        {"etc/modprobe.d/x.conf",
         "# nothing\n  options vfio-iommu-type1\tallow_unsafe_interrupts dma_entry_limit=9\n", 1, 9},
        {"run/modprobe.d/x.conf", "options vfio_iommu_type1 dma_entry_limit=8 allow_unsafe_interrupts=0", 0,
         8},
        {"lib/modprobe.d/x.conf", "options vfio_iommu_type1 dma_entry_limit=-1 allow_unsafe_interrupts=?",
         VIOMMU_UNSET, 0},
        {"etc/modprobe.d/x.backup", "options vfio_iommu_type1 dma_entry_limit=8", VIOMMU_UNSET, 0},
        {"etc/modprobe.d/x.conf", "options vfio dma_entry_limit=8\nblacklist vfio_iommu_type1\n",
         VIOMMU_UNSET, 0},
        {"sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y\n", 1, 0},
        {"sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "N\n", 0, 0},
        {"sys/module/vfio_iommu_type1/parameters/dma_entry_limit", "65535\n", VIOMMU_UNSET, 65535},
    };

    host_add_file(&host, rows[_i].path, rows[_i].text);
    read_it();
    ck_assert_int_eq(topology.unsafe_interrupts, rows[_i].unsafe);
    ck_assert_int_eq(viommu_topology_allows_unsafe(&topology, false), rows[_i].unsafe == 1);
    ck_assert(!viommu_topology_allows_unsafe(&topology, true));
    ck_assert_uint_eq(topology.dma_entry_limit, rows[_i].limit ? rows[_i].limit : VIOMMU_UNSET_NUMBER);
}
END_TEST
#define N_PARAMETERS 9

/* As modprobe reads its files: by name, the last one counts, and /etc hides a file of its name. */
START_TEST(several_files)
{
    host_add_file(&host, "etc/modprobe.d/b.conf", "options vfio_iommu_type1 dma_entry_limit=2\n");
    host_add_file(&host, "lib/modprobe.d/c.conf", "options vfio_iommu_type1 dma_entry_limit=3\n");
    host_add_file(&host, "usr/lib/modprobe.d/a.conf", "options vfio_iommu_type1 allow_unsafe_interrupts=0\n");
    read_it();
    ck_assert_uint_eq(topology.dma_entry_limit, 3);
    ck_assert_int_eq(topology.unsafe_interrupts, 0);
    host_add_file(&host, "etc/modprobe.d/c.conf", "# ours\n");
    read_it();
    ck_assert_uint_eq(topology.dma_entry_limit, 2);
}
END_TEST

/* The words of the command line, where nothing else tells. */
START_TEST(unsafe_words)
{
    static const struct {
        const char *line;
        bool allowed;
    } rows[] = {
        {"vfio_iommu_type1.allow_unsafe_interrupts=1", true},
        {"vfio-iommu-type1.allow_unsafe_interrupts=Y", true},
        {"vfio_iommu_type1.allow_unsafe_interrupts", true},
        {"vfio_iommu_type1.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=0", false},
        {"iommufd.allow_unsafe_interrupts=1", false},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(rows); i++) {
        host_set_command_line(&host, rows[i].line);
        read_it();
        ck_assert_msg(viommu_topology_allows_unsafe(&topology, false) == rows[i].allowed, "%s", rows[i].line);
    }
}
END_TEST

/* A module that is loaded is set as the kernel says, whatever modprobe would do. */
START_TEST(a_loaded_module)
{
    host_add_file(&host, "etc/modprobe.d/x.conf", "options iommufd allow_unsafe_interrupts=1\n");
    host_set_parameter(&host, "iommufd", "allow_unsafe_interrupts", "N");
    host_set_command_line(&host,
                          "iommufd.allow_unsafe_interrupts=1 vfio_iommu_type1.allow_unsafe_interrupts=Y");
    read_it();
    ck_assert_int_eq(topology.iommufd_unsafe_interrupts, 0);
    ck_assert(!viommu_topology_allows_unsafe(&topology, true));
    ck_assert(viommu_topology_allows_unsafe(&topology, false));
}
END_TEST

START_TEST(iommufd_as_a_module)
{
    static const struct {
        const char *table; /* modules.dep; NULL: none */
        bool loaded;
        int iommufd, loadable;
    } rows[] = {
        {"kernel/drivers/iommu/iommufd/iommufd.ko.xz:\n", false, 0, 1},
        {"kernel/drivers/iommu/iommufd/iommufd.ko: kernel/lib/x.ko\n", false, 0, 1},
        {"kernel/x/iommufd_driver.ko.zst: kernel/drivers/iommu/iommufd/iommufd.ko.zst\n", false, 0, 0},
        {"", false, 0, 0},
        {NULL, false, 0, VIOMMU_UNSET},
        {"kernel/drivers/iommu/iommufd/iommufd.ko.xz:\n", true, 1, VIOMMU_UNSET},
    };

    host_set_kernel(&host, "6.12.43");
    host_set_command_line(&host, "quiet");
    if (rows[_i].table)
        host_add_file(&host, "lib/modules/6.12.43/modules.dep", rows[_i].table);
    if (rows[_i].loaded)
        host_add_file(&host, "sys/class/misc/iommu/dev", "10:124\n");
    read_it();
    ck_assert_int_eq(topology.iommufd, rows[_i].iommufd);
    ck_assert_int_eq(topology.iommufd_loadable, rows[_i].loadable);
}
END_TEST
#define N_MODULES 6

/* A service with a /dev of its own: the kernel's tables tell. */
START_TEST(a_service_without_dev)
{
    static const struct {
        const char *devname, *dep; /* NULL: no such table */
        int vfio, iommufd, loadable, vsock;
    } rows[] = {
        {NULL, NULL, VIOMMU_UNSET, VIOMMU_UNSET, VIOMMU_UNSET, VIOMMU_UNSET},
        {"# Device nodes to trigger on-demand module loading.\nvfio vfio/vfio c10:196\n",
         "kernel/a.ko:\nkernel/drivers/iommu/iommufd/iommufd.ko.xz:\n", 1, 0, 1, 0},
        {"fuse fuse c10:229\n", "kernel/a.ko: kernel/drivers/iommu/iommufd/iommufd.ko.xz\n", 0, 0, 0, 0},
        {"vhost_vsock vhost-vsock c10:241\n", "", 0, 0, 0, 1},
        {"", "", 0, 0, 0, 0},
    };

    host_set_kernel(&host, "6.12.43");
    if (rows[_i].devname)
        host_add_file(&host, "lib/modules/6.12.43/modules.devname", rows[_i].devname);
    if (rows[_i].dep)
        host_add_file(&host, "lib/modules/6.12.43/modules.dep", rows[_i].dep);
    read_it();
    ck_assert_int_eq(topology.vfio, rows[_i].vfio);
    ck_assert_int_eq(topology.iommufd, rows[_i].iommufd);
    ck_assert_int_eq(topology.iommufd_loadable, rows[_i].loadable);
    ck_assert_int_eq(topology.vhost_vsock, rows[_i].vsock);
}
END_TEST
#define N_SERVICES 5

/* --- AppArmor's rules for guests --- */

START_TEST(rule_of_vsock)
{
    static const struct {
        const char *rules; /* NULL: no such file */
        int allowed;
    } rows[] = {
        {NULL, VIOMMU_UNSET},
        {"", 0},
        {"/dev/vhost-vsock rw,\n", 1},
        {"  # of this site\n  \"/dev/vhost-vsock\" wr,\n", 1},
        {"\t/dev/vhost-vsock\trwk,", 1},
        {"#/dev/vhost-vsock rw,\n", 0},
        {"# /dev/vhost-vsock rw,\n", 0},
        {"/dev/vhost-vsock r,\n/dev/vhost-net rw,\n", 0},
        {"deny /dev/vhost-vsock rw,\n", 0},
        {"/dev/vhost-vsock rw,\n  audit deny /dev/vhost-vsock w,\n", 0},
        {"# deny /dev/vhost-vsock w,\n/dev/vhost-vsock rw,\n", 1},
        {"deny /dev/vhost-net rw,\n/dev/vhost-vsock rw,\n", 1},
        {"/dev/vhost-vsock\n", 0},
    };

    if (rows[_i].rules)
        host_add_file(&host, "etc/apparmor.d/local/abstractions/libvirt-qemu", rows[_i].rules);
    read_it();
    ck_assert_int_eq(topology.vhost_vsock_rule, rows[_i].allowed);
}
END_TEST
#define N_RULES 13

/* --- Interrupts --- */

START_TEST(chips)
{
    static const struct {
        const char *names[4];
        int remaps;
    } rows[] = {
        {{NULL}, VIOMMU_UNSET},
        {{"IO-APIC", "DMAR-MSI", "PCI-MSI", NULL}, 0},
        {{"IR-IO-APIC", "DMAR-MSI", NULL}, 1},
        /* The AMD IOMMU's own. */
        {{"PCI-MSI-0000:00:00.2", "IR-PCI-MSIX-0000:01:00.0", NULL}, 1},
        {{"GICv3", "ITS-PCI-MSI-0000:01:00.0", NULL}, 1},
        {{"GICv2", "GICv2m-PCI-MSI-0000:01:00.0", NULL}, 0},
        {{"GICv2", "something", NULL}, VIOMMU_UNSET},
    };
    g_autofree char *reason = NULL;

    for (unsigned i = 0; rows[_i].names[i]; i++) {
        g_autofree char *path = g_strdup_printf("sys/kernel/irq/%u/chip_name", i);

        host_add_file(&host, path, rows[_i].names[i]);
    }
    read_it();
    ck_assert_int_eq(topology.interrupt_remapping, rows[_i].remaps);
    ck_assert_int_eq(viommu_topology_remaps_interrupts(&topology, VIOMMU_UNSET, &reason), rows[_i].remaps);
    ck_assert_int_eq(reason != NULL, rows[_i].remaps == 0);
}
END_TEST
#define N_CHIPS 7

/* What stands against it, where no interrupt chip tells. */
START_TEST(hindrances)
{
    static const struct {
        const char *line, *ecap, *driver;
        uint8_t flags;
        int arch, remaps;
        const char *reason;
    } rows[] = {
        {"quiet", "f020df", NULL, 1, VIOMMU_ARCH_X86_64, VIOMMU_UNSET, NULL},
        {"quiet", NULL, NULL, 1, VIOMMU_ARCH_X86_64, VIOMMU_UNSET, NULL},
        {"intremap=off", "f020df", NULL, 1, VIOMMU_UNSET, 0, "remove 'intremap=off'"},
        {"x nointremap", NULL, NULL, 1, VIOMMU_ARCH_X86_64, 0, "remove 'nointremap'"},
        /* as the kernel reads it: the last one of all values counts */
        {"intremap=off intremap=on", "f020df", NULL, 1, VIOMMU_UNSET, VIOMMU_UNSET, NULL},
        {"intremap=nosid,off", "f020df", NULL, 1, VIOMMU_UNSET, 0, "remove 'intremap=off'"},
        {"quiet -- intremap=off", "f020df", NULL, 1, VIOMMU_UNSET, VIOMMU_UNSET, NULL},
        {"intremap=on", NULL, NULL, 1, VIOMMU_ARCH_X86_64, VIOMMU_UNSET, NULL},
        {"quiet", "f00f46", NULL, 1, VIOMMU_UNSET, 0, "the IOMMU dmar0 has none"},
        {"quiet", NULL, NULL, 0, VIOMMU_UNSET, 0, "the firmware's table DMAR"},
        {"quiet", NULL, "virtio_iommu", 1, VIOMMU_ARCH_X86_64, 0, "of kind virtio"},
        {"nointremap", NULL, "virtio_iommu", 1, VIOMMU_ARCH_AARCH64, VIOMMU_UNSET, NULL},
    };
    static const uint64_t base = 0xfed90000;
    GByteArray *table = table_dmar(&base, 1);
    g_autofree char *reason = NULL;

    table->data[37] = rows[_i].flags;
    host_add_table(&host, "DMAR", table, true);
    host_set_command_line(&host, rows[_i].line);
    if (rows[_i].driver)
        host_add_iommu(&host, &(HostIommu){.name = "0000:00:02.0",
                                           .parent = "pci0000:00/0000:00:02.0/virtio0",
                                           .driver = rows[_i].driver});
    else
        host_add_iommu(&host, &(HostIommu){.name = "dmar0", .cap = "8d2078c106f0466", .ecap = rows[_i].ecap});
    read_it();
    ck_assert_int_eq(viommu_topology_remaps_interrupts(&topology, rows[_i].arch, &reason), rows[_i].remaps);
    if (rows[_i].reason)
        ck_assert_msg(reason && strstr(reason, rows[_i].reason), "%s", reason);
    else
        ck_assert_ptr_null(reason);
}
END_TEST
#define N_HINDRANCES 12

/* --- Devices --- */

START_TEST(regions)
{
    static const struct {
        const char *lines;
        const char *first; /* NULL: none */
        unsigned n;
    } rows[] = {
        {"0x00000000fee00000 0x00000000feefffff msi\n", NULL, 0},
        {"0x000000007b800000 0x000000007fffffff direct-relaxable\n", NULL, 0},
        {"0x000000007b800000 0x000000007fffffff direct\n", "0x7b800000-0x7fffffff", 1},
        {"0x0000000000001000 0x0000000000001fff direct\n0x00000000fee00000 0x00000000feefffff msi\n"
         "0x000000fd00000000 0x000000ffffffffff direct\n",
         "0x1000-0x1fff", 2},
        {"direct\n", NULL, 0},
    };
    const ViommuPciDevice *device;

    host_add_device(&host, &card);
    host_add_regions(&host, 7, rows[_i].lines);
    read_it();
    device = viommu_topology_device(&topology, CARD);
    ck_assert_int_eq(device->direct_regions == NULL, rows[_i].n == 0);
    if (rows[_i].n > 0) {
        ck_assert_uint_eq(g_strv_length(device->direct_regions), rows[_i].n);
        ck_assert_str_eq(device->direct_regions[0], rows[_i].first);
    }
}
END_TEST
#define N_REGIONS 5

START_TEST(physical_and_virtual)
{
    static const HostDevice virtual = {"0000:01:02.0", 0x8086,  0x154c, 0x020000, "vfio-pci",
                                       "0000:00:1c.0", "dmar0", 8,      0,        NULL};

    host_add_device(&host, &card);
    host_set_virtual_functions(&host, &card, 64);
    host_add_virtual_function(&host, &card, 0, &virtual);
    read_it();
    ck_assert_uint_eq(viommu_topology_device(&topology, CARD)->virtual_functions, 64);
    ck_assert_ptr_null(viommu_topology_device(&topology, CARD)->physical_function);
    ck_assert_str_eq(viommu_topology_device(&topology, virtual.address)->physical_function, CARD);
    ck_assert_uint_eq(viommu_topology_device(&topology, virtual.address)->virtual_functions,
                      VIOMMU_UNSET_NUMBER);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("kernel");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, kernel_versions);
    tcase_add_loop_test(tcase, processors, 0, N_PROCESSORS);
    tcase_add_loop_test(tcase, parameters, 0, N_PARAMETERS);
    tcase_add_test(tcase, several_files);
    tcase_add_test(tcase, unsafe_words);
    tcase_add_test(tcase, a_loaded_module);
    tcase_add_loop_test(tcase, iommufd_as_a_module, 0, N_MODULES);
    tcase_add_loop_test(tcase, a_service_without_dev, 0, N_SERVICES);
    tcase_add_loop_test(tcase, rule_of_vsock, 0, N_RULES);
    tcase_add_loop_test(tcase, chips, 0, N_CHIPS);
    tcase_add_loop_test(tcase, hindrances, 0, N_HINDRANCES);
    tcase_add_loop_test(tcase, regions, 0, N_REGIONS);
    tcase_add_test(tcase, physical_and_virtual);
    return unit_run_case("topology-kernel", tcase);
}
