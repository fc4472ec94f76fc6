/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recordings-host: machines whose kernel refuses to give a device away, or that use their devices
 * themselves. */
#include "tests/machines/machine.h"

#define INTEL    0x8086
#define MELLANOX 0x15b3
#define SAMSUNG  0x144d
#define PORT     "0000:16:00.0"

#define CAP "8d2078c106f0466"

static void add_server(const Host *host, const HostDevice *devices, size_t n)
{
    host_add_assignable(host, devices, n);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=/dev/mapper/root ro intel_iommu=on");
    host_add_node(host, 0, 65536);
}

/* --- What the firmware keeps --- */

#define MSI "0x00000000fee00000 0x00000000feefffff msi\n"

/* Two ports in one group share what the first one has; USB's is only for the time before Linux. */
void recording_server_rmrr(const Host *host)
{
    static const HostDevice devices[] = {
        {"0000:00:14.0", INTEL, 0xa1af, 0x0c0330, NULL, NULL, "dmar0", 9, 0, NULL},
        {"0000:17:00.0", 0x103c, 0x3239, 0x010700, "vfio-pci", PORT, "dmar0", 20, 0, NULL},
        {"0000:18:00.0", INTEL, 0x1521, 0x020000, "vfio-pci", PORT, "dmar0", 21, 0, NULL},
        {"0000:18:00.1", INTEL, 0x1521, 0x020000, "vfio-pci", PORT, "dmar0", 21, 0, NULL},
        {"0000:19:00.0", INTEL, 0x1572, 0x020000, "vfio-pci", PORT, "dmar0", 22, 0, NULL},
    };

    add_server(host, devices, G_N_ELEMENTS(devices));
    host_add_regions(host, 9, "0x000000005b3f4000 0x000000005b416fff direct-relaxable\n" MSI);
    host_add_regions(host, 20,
                     "0x000000005b3f4000 0x000000005b6f3fff direct\n"
                     "0x00000000791f4000 0x00000000791f4fff direct\n" MSI);
    host_add_regions(host, 21, "0x000000005b3f4000 0x000000005b6f3fff direct\n" MSI);
    host_add_regions(host, 22, MSI "0x000000fd00000000 0x000000ffffffffff reserved\n");
}

/* --- What the host uses --- */

enum {
    DISK_RAID,
    DISK_SWAP,
    DISK_BTRFS,
    DISK_PATH,
    DISK_FREE,
    NIC_BOND,
    NIC_IPV6,
    CARD_SERIAL,
    DISPLAY,
    DISK_JOURNAL
};

static const HostDevice used[] = {
    [DISK_RAID] = {"0000:17:00.0", SAMSUNG, 0xa824, 0x010802, "nvme", PORT, "dmar0", 20, 0, NULL},
    [DISK_SWAP] = {"0000:18:00.0", SAMSUNG, 0xa824, 0x010802, "nvme", PORT, "dmar0", 21, 0, NULL},
    [DISK_BTRFS] = {"0000:19:00.0", SAMSUNG, 0xa824, 0x010802, "nvme", PORT, "dmar0", 22, 0, NULL},
    [DISK_PATH] = {"0000:1a:00.0", SAMSUNG, 0xa824, 0x010802, "nvme", PORT, "dmar0", 23, 0, NULL},
    [DISK_FREE] = {"0000:1b:00.0", SAMSUNG, 0xa824, 0x010802, "nvme", PORT, "dmar0", 24, 0, NULL},
    [NIC_BOND] = {"0000:1c:00.0", INTEL, 0x1572, 0x020000, "i40e", PORT, "dmar0", 25, 0, NULL},
    [NIC_IPV6] = {"0000:1d:00.0", MELLANOX, 0x1017, 0x020000, "mlx5_core", PORT, "dmar0", 26, 0, NULL},
    [CARD_SERIAL] = {"0000:1e:00.0", 0x13a8, 0x0152, 0x070002, "exar_serial", PORT, "dmar0", 27, 0, NULL},
    [DISPLAY] = {"0000:1f:00.0", 0x102b, 0x0536, 0x030000, "mgag200", PORT, "dmar0", 28, 0, NULL},
    [DISK_JOURNAL] = {"0000:20:00.0", SAMSUNG, 0xa824, 0x010802, "nvme", PORT, "dmar0", 29, 0, NULL},
};

/* A block device, "259:1", below @device. */
static void add_block(const Host *host, const HostDevice *device, const char *place, const char *number)
{
    g_autofree char *directory = host_device_path(device, place), *name = g_path_get_basename(place);
    g_autofree char *dev = g_strdup_printf("%s/dev", directory);
    g_autofree char *block = g_strdup_printf("sys/block/%s", name);

    host_add_file(host, dev, number);
    if (g_str_has_suffix(name, "n1"))
        host_add_link(host, block, directory);
}

static void add_partition(const Host *host, const HostDevice *device, const char *place, const char *number)
{
    g_autofree char *rest = g_strdup_printf("%s/partition", place);
    g_autofree char *path = host_device_path(device, rest);

    add_block(host, device, place, number);
    host_add_file(host, path, "1\n");
}

static void add_virtual_block(const Host *host, const char *name, const char *number)
{
    g_autofree char *place = g_strdup_printf("sys/devices/virtual/block/%s", name);
    g_autofree char *dev = g_strdup_printf("%s/dev", place), *link = g_strdup_printf("sys/block/%s", name);

    host_add_file(host, dev, number);
    host_add_link(host, link, place);
}

/* A partition below md below LVM; LUKS below swap; the second disk of a btrfs; a disk that several
 * paths lead to; the journal of an ext4 that is elsewhere. */
static void add_disks(const Host *host)
{
    g_autofree char *raid = host_device_path(&used[DISK_RAID], "nvme/nvme0/nvme0n1/nvme0n1p2/holders/md0");
    g_autofree char *luks = host_device_path(&used[DISK_SWAP], "nvme/nvme1/nvme1n1/holders/dm-1");
    g_autofree char *btrfs = host_device_path(&used[DISK_BTRFS], "nvme/nvme2/nvme2n1");
    g_autofree char *path = host_device_path(&used[DISK_PATH], "nvme/nvme3");

    add_block(host, &used[DISK_RAID], "nvme/nvme0/nvme0n1", "259:0\n");
    add_partition(host, &used[DISK_RAID], "nvme/nvme0/nvme0n1/nvme0n1p2", "259:2\n");
    add_virtual_block(host, "md0", "9:0\n");
    add_virtual_block(host, "dm-0", "253:0\n");
    host_add_link(host, raid, "sys/devices/virtual/block/md0");
    host_add_link(host, "sys/devices/virtual/block/md0/holders/dm-0", "sys/devices/virtual/block/dm-0");
    add_block(host, &used[DISK_SWAP], "nvme/nvme1/nvme1n1", "259:5\n");
    add_virtual_block(host, "dm-1", "253:1\n");
    host_add_link(host, luks, "sys/devices/virtual/block/dm-1");
    add_block(host, &used[DISK_BTRFS], "nvme/nvme2/nvme2n1", "259:6\n");
    host_add_link(host, "sys/fs/btrfs/11111111-2222-3333-4444-555555555555/devices/nvme2n1", btrfs);
    host_add_link(host, "sys/class/nvme/nvme3", path);
    host_add_file(host, "sys/devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1/dev", "259:7\n");
    host_add_link(host, "sys/block/nvme3n1", "sys/devices/virtual/nvme-subsystem/nvme-subsys3/nvme3n1");
    host_add_link(host, "sys/devices/virtual/nvme-subsystem/nvme-subsys3/nvme3", path);
    host_add_link(host, "sys/class/nvme-subsystem/nvme-subsys3",
                  "sys/devices/virtual/nvme-subsystem/nvme-subsys3");
    add_block(host, &used[DISK_FREE], "nvme/nvme4/nvme4n1", "259:8\n");
    add_block(host, &used[DISK_JOURNAL], "nvme/nvme5/nvme5n1", "259:9\n");
    host_add_file(host, "proc/fs/jbd2/nvme5n1/info", "");
    host_add_file(host, "proc/fs/jbd2/dm-0-8/info", "");
    host_add_file(host, "proc/swaps",
                  "Filename\tType\tSize\tUsed\tPriority\n/dev/dm-1 partition 8388604 0 -2\n");
    host_add_file(host, "proc/1/mountinfo",
                  "22 1 253:0 / / rw,relatime shared:1 - ext4 /dev/mapper/vg-root rw\n"
                  "31 22 0:41 / /srv rw,relatime shared:9 - btrfs /dev/sdz rw\n"
                  "32 22 259:7 / /var/lib rw,relatime shared:10 - xfs /dev/nvme3n1 rw\n");
}

/* IPv4 leaves through a bridge over a VLAN over a bond; IPv6 through a port of its own. */
static void add_ports(const Host *host)
{
    g_autofree char *bond = host_device_path(&used[NIC_BOND], "net/ens1f0");
    g_autofree char *upper = g_strdup_printf("%s/upper_bond0/x", bond);
    g_autofree char *plain = host_device_path(&used[NIC_IPV6], "net/ens2");
    g_autofree char *state = g_strdup_printf("%s/operstate", bond);
    g_autofree char *plain_state = g_strdup_printf("%s/operstate", plain);

    host_add_file(host, state, "up\n");
    host_add_file(host, upper, "");
    host_add_link(host, "sys/class/net/ens1f0", bond);
    host_add_file(host, "sys/devices/virtual/net/bond0/upper_bond0.7/x", "");
    host_add_link(host, "sys/class/net/bond0", "sys/devices/virtual/net/bond0");
    host_add_file(host, "sys/devices/virtual/net/bond0.7/upper_br0/x", "");
    host_add_link(host, "sys/class/net/bond0.7", "sys/devices/virtual/net/bond0.7");
    host_add_file(host, "sys/devices/virtual/net/br0/operstate", "up\n");
    host_add_link(host, "sys/class/net/br0", "sys/devices/virtual/net/br0");
    host_add_file(host, plain_state, "up\n");
    host_add_link(host, "sys/class/net/ens2", plain);
    host_add_file(host, "proc/1/net/dev", "Inter-|\n face |\nens1f0: 0\n  ens2: 0\n bond0: 0\n   br0: 0\n");
    host_add_file(host, "proc/1/net/route",
                  "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
                  "br0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n");
    host_add_file(host, "proc/1/net/ipv6_route",
                  "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
                  "fe800000000000000000000000000001 00000400 00000001 00000000 00000003 ens2\n");
}

void recording_server_in_use(const Host *host)
{
    g_autofree char *serial = host_device_path(&used[CARD_SERIAL], "0000:1e:00.0:0/tty/ttyS4");
    g_autofree char *file = g_strdup_printf("%s/type", serial);
    g_autofree char *boot = host_device_path(&used[DISPLAY], "boot_vga");

    add_server(host, used, G_N_ELEMENTS(used));
    add_disks(host);
    add_ports(host);
    host_add_file(host, file, "4\n");
    host_add_link(host, "sys/class/tty/ttyS4", serial);
    host_add_file(host, "sys/devices/virtual/tty/console/active", "tty0 ttyS4\n");
    host_add_link(host, "sys/class/tty/console", "sys/devices/virtual/tty/console");
    host_add_file(host, boot, "1\n");
}

/* --- Physical and virtual functions --- */

void recording_server_sriov(const Host *host)
{
    static const HostDevice physical[] = {
        {"0000:3b:00.0", INTEL, 0x1572, 0x020000, "i40e", "0000:3a:00.0", "dmar0", 30, 0, NULL},
        {"0000:3b:00.1", INTEL, 0x1572, 0x020000, "i40e", "0000:3a:00.0", "dmar0", 31, 0, NULL},
    };
    static const HostDevice virtual[] = {
        {"0000:3b:02.0", INTEL, 0x154c, 0x020000, "vfio-pci", "0000:3a:00.0", "dmar0", 32, 0, "vfio0"},
        {"0000:3b:02.1", INTEL, 0x154c, 0x020000, "iavf", "0000:3a:00.0", "dmar0", 33, 0, NULL},
        {"0000:3b:02.2", INTEL, 0x154c, 0x020000, NULL, "0000:3a:00.0", "dmar0", 34, 0, NULL},
    };

    add_server(host, physical, G_N_ELEMENTS(physical));
    for (unsigned i = 0; i < G_N_ELEMENTS(physical); i++) {
        g_autofree char *port = host_device_path(&physical[i], i ? "net/ens1f1" : "net/ens1f0");
        g_autofree char *state = g_strdup_printf("%s/operstate", port);

        host_set_virtual_functions(host, &physical[i], 64);
        host_add_file(host, state, "down\n");
        host_add_link(host, i ? "sys/class/net/ens1f1" : "sys/class/net/ens1f0", port);
    }
    for (unsigned i = 0; i < G_N_ELEMENTS(virtual); i++)
        host_add_virtual_function(host, &physical[0], i, &virtual[i]);
    host_add_file(host, "sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:02.1/net/ens1f0v1/operstate", "down\n");
    host_add_link(host, "sys/class/net/ens1f0v1",
                  "sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:02.1/net/ens1f0v1");
    host_set_parameter(host, "vfio_iommu_type1", "dma_entry_limit", "1048576");
}

/* --- Interrupt remapping --- */

static void add_plain_server(const Host *host, const char *unsafe)
{
    static const HostDevice device = {"0000:17:00.0", INTEL,   0x1572, 0x020000, "vfio-pci",
                                      PORT,           "dmar0", 20,     0,        "vfio0"};

    add_server(host, &device, 1);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz ro intel_iommu=on nointremap");
    host_set_interrupts(host, false);
    host_set_parameter(host, "vfio_iommu_type1", "allow_unsafe_interrupts", unsafe);
}

void recording_server_no_remapping(const Host *host)
{
    add_plain_server(host, "N");
}

void recording_server_unsafe(const Host *host)
{
    add_plain_server(host, "Y");
    host_add_file(host, "dev/iommu", "");
    host_set_parameter(host, "iommufd", "allow_unsafe_interrupts", "N");
}

void recording_guest_virtio(const Host *host)
{
    static const HostDevice device = {"0000:01:00.0", INTEL,          0x10d3, 0x020000, NULL,
                                      "0000:00:03.0", "0000:00:02.0", 3,      -1,       NULL};

    host_add_acpi(host);
    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_set_command_line(host, "console=ttyS0");
    host_add_viot(host, 0x10);
    host_add_iommu(host, &(HostIommu){.name = "0000:00:02.0",
                                      .parent = "pci0000:00/0000:00:02.0/virtio0",
                                      .driver = "virtio_iommu"});
    host_add_device(host, &device);
    host_set_interrupts(host, false);
    host_add_node(host, 0, 4096);
    host_add_vfio(host, false);
}

/* --- Modules --- */

void recording_server_iommufd_module(const Host *host)
{
    static const HostDevice device = {"0000:17:00.0", INTEL,   0x1572, 0x020000, NULL,
                                      PORT,           "dmar0", 20,     0,        NULL};

    add_server(host, &device, 1);
    host_set_interrupts(host, true);
    host_add_file(host, "lib/modules/6.12.43/modules.dep",
                  "kernel/drivers/vfio/vfio.ko.xz: kernel/drivers/iommu/iommufd/iommufd.ko.xz\n"
                  "kernel/drivers/iommu/iommufd/iommufd.ko.xz:\n");
}

/* --- Tables --- */

/* Blocks of types 10h, 11h and 40h for each of two units. */
void recording_server_amd_blocks(const Host *host)
{
    static const uint64_t bases[] = {0xf0180000, 0xf0180000, 0xf0180000, 0xb1100000, 0xb1100000, 0xb1100000};
    static const uint8_t types[] = {0x10, 0x11, 0x40};
    static const HostDevice device = {"0000:01:00.0", MELLANOX, 0x1017, 0x020000, "mlx5_core",
                                      "0000:00:01.1", "ivhd1",  14,     0,        NULL};
    GByteArray *table = table_ivrs(bases, G_N_ELEMENTS(bases));

    for (size_t i = 0; i < G_N_ELEMENTS(bases); i++)
        table->data[48 + 44 * i] = types[i % 3];
    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_add_acpi(host);
    host_add_table(host, "IVRS", table, true);
    host_add_iommu(
        host,
        &(HostIommu){.name = "ivhd0", .parent = "pci0000:40/0000:40:00.2", .features = "246577efa2254afa:0"});
    host_add_iommu(
        host,
        &(HostIommu){.name = "ivhd1", .parent = "pci0000:00/0000:00:00.2", .features = "246577efa2254afa:0"});
    host_add_device(host, &device);
    host_set_interrupts(host, true);
    host_add_node(host, 0, 65536);
    host_add_vfio(host, false);
}
