/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recordings: the machines.  A made-up one has the structure, and where known the registers, of
 * real ones. */
#include "tests/machines/machine.h"

#define INTEL  0x8086
#define AMD    0x1022
#define NVIDIA 0x10de
#define BRIDGE 0x060400

static void add_devices(const Host *host, const HostDevice *devices, size_t n)
{
    for (size_t i = 0; i < n; i++)
        host_add_device(host, &devices[i]);
}

/* Two units, the first for the graphics; each handles 39 bits, although its page tables could hold
 * 48. */
static void desktop_iommus(const Host *host)
{
    static const uint64_t bases[] = {0xfed90000, 0xfed91000};

    host_add_dmar(host, bases, G_N_ELEMENTS(bases));
    host_add_iommu(host, &(HostIommu){.name = "dmar0", .cap = "1c0000c40660462"});
    host_add_iommu(host, &(HostIommu){.name = "dmar1", .cap = "d2008c40660462"});
}

static void desktop_intel(const Host *host)
{
    static const HostDevice devices[] = {
        {"0000:00:00.0", INTEL, 0x3ec2, 0x060000, "skl_uncore", NULL, "dmar1", 1, -1, NULL},
        {"0000:00:02.0", INTEL, 0x3e92, 0x030000, "i915", NULL, "dmar0", 0, -1, NULL},
        {"0000:00:14.0", INTEL, 0xa2af, 0x0c0330, "xhci_hcd", NULL, "dmar1", 2, -1, NULL},
        {"0000:00:17.0", INTEL, 0xa282, 0x010601, "ahci", NULL, "dmar1", 3, -1, NULL},
        {"0000:00:1c.0", INTEL, 0xa294, BRIDGE, "pcieport", NULL, "dmar1", 4, -1, NULL},
        {"0000:00:1f.0", INTEL, 0xa2cc, 0x060100, NULL, NULL, "dmar1", 5, -1, NULL},
        {"0000:00:1f.3", INTEL, 0xa2f0, 0x040300, "snd_hda_intel", NULL, "dmar1", 5, -1, NULL},
        {"0000:00:1f.6", INTEL, 0x15b8, 0x020000, "e1000e", NULL, "dmar1", 5, -1, NULL},
        {"0000:01:00.0", INTEL, 0x1572, 0x020000, "vfio-pci", "0000:00:1c.0", "dmar1", 6, -1, NULL},
    };

    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=UUID=0 ro quiet intel_iommu=on iommu=pt");
    desktop_iommus(host);
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 32768);
    host_add_vfio(host, false);
}

static void desktop_off(const Host *host)
{
    static const HostDevice devices[] = {
        {"0000:00:02.0", INTEL, 0x3e92, 0x030000, "i915", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:1c.0", INTEL, 0xa294, BRIDGE, "pcieport", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:1f.6", INTEL, 0x15b8, 0x020000, "e1000e", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:01:00.0", INTEL, 0x1572, 0x020000, "i40e", "0000:00:1c.0", NULL, HOST_NO_GROUP, -1, NULL},
    };

    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=UUID=0 ro quiet intel_iommu=on");
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 32768);
    host_add_vfio(host, false);
}

/* The firmware describes the IOMMU well, but the kernel was built, or told, not to use it. */
static void desktop_idle(const Host *host)
{
    static const uint64_t bases[] = {0xfed90000, 0xfed91000};
    static const HostDevice device = {"0000:00:1f.6", INTEL, 0x15b8,        0x020000, "e1000e",
                                      NULL,           NULL,  HOST_NO_GROUP, -1,       NULL};

    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=UUID=0 ro quiet intel_iommu=off");
    host_add_dmar(host, bases, G_N_ELEMENTS(bases));
    host_add_device(host, &device);
    host_add_node(host, 0, 32768);
    host_add_vfio(host, false);
}

static void broken_dmar(const Host *host)
{
    static const uint64_t bases[] = {UINT64_MAX, 0};
    static const HostDevice device = {"0000:00:1f.6", INTEL, 0x15b8,        0x020000, "e1000e",
                                      NULL,           NULL,  HOST_NO_GROUP, -1,       NULL};

    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=UUID=0 ro quiet intel_iommu=on");
    host_add_dmar(host, bases, G_N_ELEMENTS(bases));
    host_add_device(host, &device);
    host_add_node(host, 0, 16384);
    host_add_vfio(host, false);
}

/* Each socket has a root complex with a unit of its own; a guest already has one port of a card. */
static void server_two_sockets(const Host *host)
{
    static const uint64_t bases[] = {0xd37fc000, 0xfbffc000};
    static const HostDevice devices[] = {
        {"0000:00:1f.2", INTEL, 0xa1a1, 0x058000, NULL, NULL, "dmar1", 10, 0, NULL},
        {"0000:3a:00.0", INTEL, 0x2030, BRIDGE, "pcieport", NULL, "dmar0", 30, 0, NULL},
        {"0000:3b:00.0", INTEL, 0x1572, 0x020000, "i40e", "0000:3a:00.0", "dmar0", 31, 0, NULL},
        {"0000:3b:00.1", INTEL, 0x1572, 0x020000, "vfio-pci", "0000:3a:00.0", "dmar0", 32, 0, "vfio0"},
        {"0000:3c:00.0", NVIDIA, 0x20b5, 0x030200, "nvidia", "0000:3a:01.0", "dmar0", 33, 0, NULL},
        {"0000:ae:00.0", INTEL, 0x2030, BRIDGE, "pcieport", NULL, "dmar1", 80, 1, NULL},
        {"0000:af:00.0", 0x144d, 0xa824, 0x010802, "nvme", "0000:ae:00.0", "dmar1", 81, 1, NULL},
        {"0000:b0:00.0", NVIDIA, 0x20b5, 0x030200, "vfio-pci", "0000:ae:01.0", "dmar1", 82, 1, "vfio1"},
    };

    host_set_kernel(host, "6.17.0-5-generic");
    host_add_acpi(host);
    host_set_command_line(
        host, "BOOT_IMAGE=/vmlinuz root=/dev/mapper/root ro intel_iommu=on default_hugepagesz=1G");
    host_add_dmar(host, bases, G_N_ELEMENTS(bases));
    host_add_iommu(host, &(HostIommu){.name = "dmar0", .cap = "8d2078c106f0466"});
    host_add_iommu(host, &(HostIommu){.name = "dmar1", .cap = "8d2078c106f0466"});
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 196608);
    host_add_node(host, 1, 196608);
    host_add_huge_pages(host, 0, 1048576, 64, 64);
    host_add_huge_pages(host, 1, 1048576, 64, 32);
    host_set_interrupts(host, true);
    host_add_vfio(host, true);
    host_add_file(host, "dev/vhost-vsock", "");
}

static void server_amd(const Host *host)
{
    static const uint64_t bases[] = {0xf0180000, 0xb1100000};
    static const HostDevice devices[] = {
        {"0000:00:00.2", AMD, 0x164f, 0x080600, NULL, NULL, NULL, HOST_NO_GROUP, 0, NULL},
        {"0000:01:00.0", 0x15b3, 0x1017, 0x020000, "mlx5_core", "0000:00:01.1", "ivhd1", 14, 0, NULL},
        {"0000:01:00.1", 0x15b3, 0x1017, 0x020000, "mlx5_core", "0000:00:01.1", "ivhd1", 15, 0, NULL},
        {"0000:40:00.2", AMD, 0x164f, 0x080600, NULL, NULL, NULL, HOST_NO_GROUP, 0, NULL},
        {"0000:41:00.0", 0x1002, 0x740f, 0x038000, "amdgpu", "0000:40:01.1", "ivhd0", 3, 0, NULL},
    };

    host_set_kernel(host, "6.1.0-40-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=/dev/mapper/root ro iommu=pt");
    host_add_ivrs(host, bases, G_N_ELEMENTS(bases));
    /* Kernel 6.1 prints EFR2 before EFR, and unit 0 is not on the first bus. */
    host_add_iommu(
        host,
        &(HostIommu){.name = "ivhd0", .parent = "pci0000:40/0000:40:00.2", .features = "0:246577efa2254afa"});
    host_add_iommu(
        host,
        &(HostIommu){.name = "ivhd1", .parent = "pci0000:00/0000:00:00.2", .features = "0:246577efa2254afa"});
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 262144);
    host_add_vfio(host, true);
}

/* Drives behind Intel's Volume Management Device are in a domain that the kernel makes up.  An
 * address of the same bus, slot and function is in domain 0000, too. */
static void server_vmd(const Host *host)
{
    static const uint64_t bases[] = {0xd37fc000};
    static const HostDevice devices[] = {
        {"0000:00:1f.2", INTEL, 0xa1a1, 0x058000, NULL, NULL, "dmar0", 10, 0, NULL},
        {"0000:e1:00.0", INTEL, 0x1572, 0x020000, "i40e", NULL, "dmar0", 40, 0, NULL},
        {"10000:e1:00.0", 0x144d, 0xa824, 0x010802, "vfio-pci", NULL, "dmar0", 41, 0, NULL},
        {"10000:e2:00.0", 0x144d, 0xa824, 0x010802, "vfio-pci", NULL, "dmar0", 42, 0, NULL},
    };

    host_set_kernel(host, "6.12.43+deb13-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=/dev/mapper/root ro intel_iommu=on");
    host_add_dmar(host, bases, G_N_ELEMENTS(bases));
    host_add_iommu(host, &(HostIommu){.name = "dmar0", .cap = "8d2078c106f0466"});
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 196608);
    host_add_vfio(host, false);
}

/* One SMMU for each PCI segment, and one without PCI devices. */
static void server_arm(const Host *host)
{
    static const HostSmmu nodes[] = {
        {0, 0}, {4, 0x23ffe0000000}, {4, 0x27ffe0000000}, {4, 0x2fffe0000000}, {2, 0}};
    static const HostDevice devices[] = {
        {"0002:00:01.0", 0x1def, 0xe101, BRIDGE, "pcieport", NULL, "smmu3.0x000023ffe0000000", 0, 0, NULL},
        {"0002:01:00.0", 0x144d, 0xa824, 0x010802, "nvme", "0002:00:01.0", "smmu3.0x000023ffe0000000", 1, 0,
         NULL},
        {"0005:00:03.0", 0x1def, 0xe111, BRIDGE, "pcieport", NULL, "smmu3.0x000027ffe0000000", 20, 0, NULL},
        {"0005:01:00.0", NVIDIA, 0x2235, 0x030200, "vfio-pci", "0005:00:03.0", "smmu3.0x000027ffe0000000", 21,
         0, "vfio0"},
        {"000d:00:01.0", 0x1def, 0xe101, BRIDGE, "pcieport", NULL, "smmu3.0x00002fffe0000000", 40, 1, NULL},
        {"000d:01:00.0", NVIDIA, 0x2235, 0x030200, "nvidia", "000d:00:01.0", "smmu3.0x00002fffe0000000", 41,
         1, NULL},
        {"000d:02:00.0", 0x15b3, 0x101d, 0x020000, "mlx5_core", "000d:00:02.0", "smmu3.0x00002fffe0000000",
         42, 1, NULL},
    };

    host_set_kernel(host, "6.17.0-5-generic");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=/dev/mapper/root ro");
    host_add_iort(host, nodes, G_N_ELEMENTS(nodes));
    host_add_iommu(host,
                   &(HostIommu){.name = "smmu3.0x000023ffe0000000", .parent = "platform/arm-smmu-v3.0.auto"});
    host_add_iommu(host,
                   &(HostIommu){.name = "smmu3.0x000027ffe0000000", .parent = "platform/arm-smmu-v3.1.auto"});
    host_add_iommu(host,
                   &(HostIommu){.name = "smmu3.0x00002fffe0000000", .parent = "platform/arm-smmu-v3.2.auto"});
    host_add_iommu(host,
                   &(HostIommu){.name = "smmu3.0x0000500000000000", .parent = "platform/arm-smmu-v3.3.auto"});
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 131072);
    host_add_node(host, 1, 131072);
    host_add_huge_pages(host, 0, 524288, 16, 16);
    host_add_vfio(host, true);
}

/* The same with a kernel of 64 KiB pages. */
static void server_arm_64k(const Host *host)
{
    server_arm(host);
    host_set_kernel(host, "6.17.0-5-generic-64k");
    host_add_file(host, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size", "536870912");
}

static void arm_without_smmu(const Host *host)
{
    static const HostSmmu nodes[] = {{0, 0}, {2, 0}};
    static const HostDevice device = {"0000:01:00.0", 0x144d, 0xa808,        0x010802, "nvme",
                                      "0000:00:00.0", NULL,   HOST_NO_GROUP, 0,        NULL};

    host_set_kernel(host, "6.12.43+deb13-arm64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz root=/dev/nvme0n1p2 ro");
    host_add_iort(host, nodes, G_N_ELEMENTS(nodes));
    host_add_device(host, &device);
    host_add_node(host, 0, 16384);
    host_add_vfio(host, false);
}

/* The root port has no access control services: all devices behind it are one group, half of it in
 * use. */
static void laptop(const Host *host)
{
    static const HostDevice devices[] = {
        {"0000:00:01.0", INTEL, 0x1901, BRIDGE, "pcieport", NULL, "dmar1", 2, -1, NULL},
        {"0000:00:02.0", INTEL, 0x3e9b, 0x030000, "i915", NULL, "dmar0", 0, -1, NULL},
        {"0000:01:00.0", NVIDIA, 0x1f36, 0x030000, "vfio-pci", "0000:00:01.0", "dmar1", 2, -1, NULL},
        {"0000:01:00.1", NVIDIA, 0x10f9, 0x040300, "snd_hda_intel", "0000:00:01.0", "dmar1", 2, -1, NULL},
        {"0000:01:00.2", NVIDIA, 0x1ada, 0x0c0330, "xhci_hcd", "0000:00:01.0", "dmar1", 2, -1, NULL},
        {"0000:01:00.3", NVIDIA, 0x1adb, 0x0c8000, NULL, "0000:00:01.0", "dmar1", 2, -1, NULL},
    };

    host_set_kernel(host, "6.8.0-45-generic");
    host_add_acpi(host);
    host_set_command_line(host,
                          "BOOT_IMAGE=/vmlinuz root=UUID=0 ro quiet intel_iommu=on vfio-pci.ids=10de:1f36");
    desktop_iommus(host);
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 16384);
    host_add_vfio(host, false);
}

/* The groups exist, but isolate nothing. */
static void noiommu_mode(const Host *host)
{
    static const HostDevice device = {"0000:01:00.0", INTEL, 0x1572, 0x020000, "vfio-pci",
                                      "0000:00:1c.0", NULL,  0,      -1,       NULL};

    host_set_kernel(host, "6.1.0-40-amd64");
    host_add_acpi(host);
    host_set_command_line(host, "BOOT_IMAGE=/vmlinuz ro vfio.enable_unsafe_noiommu_mode=1");
    host_add_device(host, &device);
    host_set_noiommu(host, 0);
    host_add_node(host, 0, 16384);
    host_add_vfio(host, false);
}

static void cloud_guest(const Host *host)
{
    static const HostDevice devices[] = {
        {"0000:00:00.0", INTEL, 0x0d57, 0x060000, NULL, NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:01.0", 0x1af4, 0x1045, 0xffff00, "virtio-pci", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:02.0", 0x1af4, 0x1042, 0x018000, "virtio-pci", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:03.0", 0x1af4, 0x1041, 0x020000, "virtio-pci", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:04.0", 0x1af4, 0x1053, 0xffff00, "virtio-pci", NULL, NULL, HOST_NO_GROUP, -1, NULL},
        {"0000:00:05.0", 0x1af4, 0x1044, 0xffff00, "virtio-pci", NULL, NULL, HOST_NO_GROUP, -1, NULL},
    };

    host_set_kernel(host, "6.18.44-fc");
    host_add_acpi(host);
    host_set_command_line(host, "quiet reboot=k panic=1 nomodule swiotlb=noforce");
    add_devices(host, devices, G_N_ELEMENTS(devices));
    host_add_node(host, 0, 7953);
}

const Recording recordings[] = {
    {"desktop-intel", "trixie", "made up; registers as kernel logs of such machines show them",
     desktop_intel},
    {"desktop-off", "trixie", "made up: VT-d is off in the firmware, so there is no DMAR", desktop_off},
    {"desktop-idle", "trixie", "made up: VT-d is on, and the kernel told not to use it", desktop_idle},
    {"broken-dmar", "trixie", "made up: the addresses of its DMAR's units are all ones and zero",
     broken_dmar},
    {"server-two-sockets", "forky", "made up; registers as kernel logs of such machines show them",
     server_two_sockets},
    {"server-bookworm", "bookworm", "made up; the hardware of server-two-sockets under older software",
     server_two_sockets},
    {"server-amd", "trixie", "made up; registers as kernel logs of such machines show them", server_amd},
    {"server-vmd", "trixie", "made up: drives behind Intel VMD, each in a group of its own", server_vmd},
    {"server-arm", "forky-arm", "made up", server_arm},
    {"server-arm-64k", "forky-arm", "made up; the hardware of server-arm with pages of 64 KiB",
     server_arm_64k},
    {"server-arm-11.0", "forky-arm-11.0", "made up; the hardware of server-arm under another QEMU",
     server_arm},
    {"server-arm-without-ril", "forky-arm-without-ril",
     "made up; the hardware of server-arm under a libvirt that cannot switch range invalidation off",
     server_arm},
    {"arm-without-smmu", "arm-server", "made up: its IORT has no SMMU", arm_without_smmu},
    {"laptop", "noble", "made up: its group is not viable", laptop},
    {"noiommu-mode", "bookworm", "made up: VFIO's no-IOMMU mode", noiommu_mode},
    {"server-rmrr", "trixie", "made up: the firmware keeps memory for two of its devices",
     recording_server_rmrr},
    {"server-in-use", "trixie", "made up: the host uses each of its devices but one",
     recording_server_in_use},
    {"server-sriov", "trixie", "made up: two physical functions, one of them with virtual functions",
     recording_server_sriov},
    {"server-no-remapping", "trixie", "made up: interrupt remapping is switched off",
     recording_server_no_remapping},
    {"server-unsafe", "forky", "made up: server-no-remapping, whose administrator takes the risk",
     recording_server_unsafe},
    {"guest-virtio", "trixie", "as QEMU emulates it: virtio-iommu on q35", recording_guest_virtio},
    {"server-iommufd-module", "forky", "made up: iommufd is a module that is not loaded",
     recording_server_iommufd_module},
    {"server-amd-blocks", "trixie", "made up: each IOMMU has three blocks in IVRS, as on real boards",
     recording_server_amd_blocks},
    {"cloud-guest", "bookworm", "recorded on a virtual machine without IOMMU; the command line is shortened",
     cloud_guest},
};
const size_t n_recordings = G_N_ELEMENTS(recordings);
