/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-topology-use: what the host does with its devices is found through all layers between, and a
 * device in use is refused to every user. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/plan/build.h"
#include "tests/machines/machine.h"

#define NVME "0000:01:00.0"
#define NIC  "0000:02:00.0"
#define GPU  "0000:03:00.0"
#define USB  "0000:04:00.0"
#define MATE "0000:05:00.1"
#define NEAR "0000:05:00.0"
/* A device whose port is in a container. */
#define GONE "0000:06:00.0"

static const HostDevice devices[] = {
    {NVME, 0x144d, 0xa808, 0x010802, "nvme", "0000:00:1c.0", "dmar0", 1, -1, NULL},
    {NIC, 0x8086, 0x1572, 0x020000, "i40e", "0000:00:1c.0", "dmar0", 2, -1, NULL},
    {GPU, 0x10de, 0x1f36, 0x030000, "nouveau", "0000:00:1c.0", "dmar0", 3, -1, NULL},
    {USB, 0x8086, 0xa36d, 0x0c0330, "xhci_hcd", "0000:00:1c.0", "dmar0", 4, -1, NULL},
    /* A free device; the other one of its group has a disk. */
    {NEAR, 0x8086, 0x1572, 0x020000, NULL, "0000:00:1c.0", "dmar0", 5, -1, NULL},
    {GONE, 0x8086, 0x1572, 0x020000, "i40e", "0000:00:1c.0", "dmar0", 6, -1, NULL},
    {MATE, 0x144d, 0xa808, 0x010802, "nvme", "0000:00:1c.0", "dmar0", 5, -1, NULL},
};

#define PCI(address) "sys/devices/pci0000:00/0000:00:1c.0/" address
#define DISK         PCI(NVME) "/nvme/nvme0/nvme0n1"
#define PORT         PCI(NIC) "/net/eth0"
#define MOUNTS(line)                                \
    {                                               \
        "proc/1/mountinfo", "22 1 " line "\n", NULL \
    }
#define FILE_OF(a, b) \
    {                 \
        a, b, NULL    \
    }
#define LINK_OF(a, b) \
    {                 \
        a, NULL, b    \
    }
#define LINES_MAX 10

/* A disk with two partitions, and a network port, both unused. */
static void make_host(const Host *host)
{
    host_add_acpi(host);
    host_set_kernel(host, "6.12.43");
    host_add_iommu(host, &(HostIommu){.name = "dmar0"});
    host_add_vfio(host, false);
    for (size_t i = 0; i < G_N_ELEMENTS(devices); i++)
        host_add_device(host, &devices[i]);
    host_add_file(host, DISK "/dev", "259:0\n");
    host_add_file(host, DISK "/nvme0n1p1/dev", "259:1\n");
    host_add_file(host, DISK "/nvme0n1p1/partition", "1\n");
    host_add_file(host, DISK "/nvme0n1p2/dev", "259:2\n");
    host_add_file(host, DISK "/nvme0n1p2/partition", "2\n");
    host_add_link(host, "sys/block/nvme0n1", DISK);
    host_add_file(host, PORT "/operstate", "down\n");
    host_add_link(host, "sys/class/net/eth0", PORT);
}

typedef struct Entry {
    const char *path, *text, *link; /* a file, or a link */
} Entry;

typedef struct Case {
    const char *address, *uses; /* joined by "; "; NULL: free */
    Entry entries[LINES_MAX];
} Case;

/* The last entry of a path counts. */
static const Case cases[] = {
    {NVME, NULL, {{NULL}}},
    {NIC, NULL, {{NULL}}},
    {NVME, "nvme0n1p2 is mounted at /", {MOUNTS("259:2 / / rw - ext4 /dev/root rw")}},
    {NVME,
     "nvme0n1p1 is mounted at /boot/efi",
     {MOUNTS("0:40 /sub /boot/efi rw shared:1 master:2 - btrfs /dev/nvme0n1p1 rw")}},
    {NVME,
     "nvme0n1p1 is mounted at /x",
     {MOUNTS("0:50 / /x rw - bcachefs /dev/sdq:/dev/nvme0n1p1:/dev/sdr rw")}},
    {NVME,
     "nvme0n1p2 is mounted at /x",
     {MOUNTS("8:1 / /x rw - xfs /dev/sdq rw,logdev=/dev/nvme0n1p2,noquota")}},
    {NVME, "nvme0n1p2 is mounted at /x", {MOUNTS("8:1 / /x rw - xfs /dev/sdq rw,rtdev=/dev/nvme0n1p2")}},
    {NVME, NULL, {MOUNTS("8:1 / /dev/nvme0n1 rw - xfs /dev/sdq rw,logdev=/dev/sdr,x=nvme0n1")}},
    {NVME, "nvme0n1 belongs to a mounted btrfs", {LINK_OF("sys/fs/btrfs/1-2/devices/nvme0n1", DISK)}},
    {NVME,
     "nvme0n1p1 holds swap",
     {FILE_OF("proc/swaps", "Filename\tType\n/dev/nvme0n1p1 partition 1 0 -2\n")}},
    {NVME,
     "nvme0n1p2 is part of md0; md0 is part of dm-1; dm-1 is mounted at /srv",
     {LINK_OF(DISK "/nvme0n1p2/holders/md0", "sys/devices/virtual/block/md0"),
      FILE_OF("sys/devices/virtual/block/md0/dev", "9:0\n"),
      LINK_OF("sys/block/md0", "sys/devices/virtual/block/md0"),
      LINK_OF("sys/devices/virtual/block/md0/holders/dm-1", "sys/devices/virtual/block/dm-1"),
      FILE_OF("sys/devices/virtual/block/dm-1/dev", "253:1\n"),
      LINK_OF("sys/block/dm-1", "sys/devices/virtual/block/dm-1"),
      MOUNTS("253:1 / /srv rw - xfs /dev/mapper/srv rw")}},
    {NVME,
     "nvme1n1 is mounted at /var",
     {FILE_OF("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1/dev", "259:9\n"),
      LINK_OF("sys/block/nvme1n1", "sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme1n1"),
      LINK_OF("sys/class/nvme-subsystem/nvme-subsys0", "sys/devices/virtual/nvme-subsystem/nvme-subsys0"),
      LINK_OF("sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", PCI(NVME) "/nvme/nvme0"),
      LINK_OF("sys/class/nvme/nvme0", PCI(NVME) "/nvme/nvme0"),
      MOUNTS("259:9 / /var rw - ext4 /dev/nvme1n1 rw")}},
    {NVME,
     "nvme0n1p1 belongs to a ZFS pool",
     {FILE_OF("run/udev/data/b259:1", "E:ID_FS_TYPE=zfs_member\n"),
      FILE_OF("sys/module/zfs/version", "2\n")}},
    /* A host without udev. */
    {NVME,
     "nvme0n1p1 may belong to a ZFS pool, which viommud cannot see",
     {FILE_OF("sys/module/zfs/version", "2\n")}},
    {NVME,
     "nvme0n1p2 is part of dm-1; dm-1 holds swap",
     {LINK_OF(DISK "/nvme0n1p2/holders/dm-1", "sys/devices/virtual/block/dm-1"),
      FILE_OF("sys/devices/virtual/block/dm-1/dev", "253:1\n"),
      FILE_OF("sys/devices/virtual/block/dm-1/dm/name", "vg-swap\n"),
      LINK_OF("sys/block/dm-1", "sys/devices/virtual/block/dm-1"),
      FILE_OF("proc/swaps", "Filename\tType\n/dev/mapper/vg-swap partition 1 0 -2\n")}},
    {NVME,
     "nvme0n1p2 holds the journal of a mounted file system (jbd2)",
     {FILE_OF("proc/fs/jbd2/nvme0n1p2/info", "")}},
    /* A journal inside a file system, which is shown elsewhere; a journal of nobody. */
    {NVME, NULL, {FILE_OF("proc/fs/jbd2/nvme0n1p2-8/info", "")}},
    {NVME,
     NULL,
     {FILE_OF("proc/fs/jbd2/sda1-8/info", ""), FILE_OF("run/udev/data/b259:1", "E:ID_FS_TYPE=jbd\n")}},
    {NVME, "nvme0n1p1 is formatted as a journal", {FILE_OF("run/udev/data/b259:1", "E:ID_FS_TYPE=jbd\n")}},
    {NVME, "nvme0n1p1 is mounted somewhere (xfs)", {FILE_OF("sys/fs/xfs/nvme0n1p1/stats", "")}},
    /* Process 1 is not in this recording. */
    {NIC,
     "eth0 carries the default route",
     {FILE_OF("proc/self/net/route", "Iface\neth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n")}},
    {GONE, "its network port has driver i40e, and viommud cannot see what it is used for", {{NULL}}},
    {NIC, "eth0 is up", {FILE_OF(PORT "/operstate", "up\n")}},
    {NIC, "eth0 is up", {FILE_OF(PORT "/carrier", "1\n")}},
    {NIC,
     "eth0 carries the default route",
     {FILE_OF("proc/1/net/route", "Iface\nenp0\t0000A8C0\t0\t1\t0\t0\t0\t00FFFFFF\n"
                                  "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n")}},
    {NIC,
     "eth0 has routes and an address",
     {FILE_OF("proc/1/net/route", "Iface\neth0\t0002A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\n")}},
    {NIC,
     "eth0 carries the default route through br0",
     {FILE_OF(PORT "/upper_bond0/x", ""), FILE_OF("sys/class/net/bond0/upper_bond0.7/x", ""),
      FILE_OF("sys/class/net/bond0.7/upper_br0/x", ""),
      FILE_OF("proc/1/net/ipv6_route", "00000000000000000000000000000000 00 00 00 fe80 400 1 0 3 br0\n"
                                       "fe800000000000000000000000000000 40 00 00 0 100 1 0 1 eth0\n")}},
    {NIC,
     "its network port has driver i40e, and viommud cannot see what it is used for",
     {FILE_OF("proc/1/net/dev", "Inter-|\n face |\n  lo: 0\n")}},
    {NIC,
     "its virtual function 0000:02:02.0 is used by driver vfio-pci",
     {LINK_OF(PCI(NIC) "/virtfn0", PCI("0000:02:02.0")),
      LINK_OF(PCI("0000:02:02.0") "/driver", "sys/bus/pci/drivers/vfio-pci"),
      FILE_OF("sys/bus/pci/drivers/vfio-pci/x", ""),
      LINK_OF("sys/bus/pci/devices/0000:02:02.0", PCI("0000:02:02.0"))}},
    {NIC,
     "port 1 of mlx5_0 is active (RDMA)",
     {FILE_OF(PCI(NIC) "/infiniband/mlx5_0/ports/1/state", "4: ACTIVE\n"),
      LINK_OF("sys/class/infiniband/mlx5_0", PCI(NIC) "/infiniband/mlx5_0")}},
    {NIC,
     NULL,
     {FILE_OF(PCI(NIC) "/infiniband/mlx5_0/ports/1/state", "1: DOWN\n"),
      LINK_OF("sys/class/infiniband/mlx5_0", PCI(NIC) "/infiniband/mlx5_0")}},
    {NIC,
     "port host9 is online (Fibre Channel)",
     {FILE_OF(PCI(NIC) "/host9/fc_host/host9/port_state", "Online\n"),
      LINK_OF("sys/class/fc_host/host9", PCI(NIC) "/host9/fc_host/host9")}},
    {NIC,
     NULL,
     {FILE_OF(PCI(NIC) "/host9/fc_host/host9/port_state", "Linkdown\n"),
      LINK_OF("sys/class/fc_host/host9", PCI(NIC) "/host9/fc_host/host9")}},
    {GPU,
     "mediated device 83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 is a part of it",
     {FILE_OF(PCI(GPU) "/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001/x", ""),
      LINK_OF("sys/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001",
              PCI(GPU) "/83b8f4f2-509f-382f-3c1e-e6bfe0fa1001")}},
    {GPU, "viommud cannot see what it is", {FILE_OF(PCI(GPU) "/class", "?\n")}},
    {GPU, "viommud cannot see what it is", {FILE_OF(PCI(GPU) "/vendor", "0x12345\n")}},
    /* The rest of its group is not free, either. */
    {NEAR, "viommud cannot see what it is", {FILE_OF(PCI(MATE) "/device", "")}},
    {GPU, "it is the display that the host booted with", {FILE_OF(PCI(GPU) "/boot_vga", "1\n")}},
    {GPU,
     "card0-DP-1 has a monitor",
     {FILE_OF(PCI(GPU) "/drm/card0/card0-DP-1/status", "connected\n"),
      LINK_OF("sys/class/drm/card0-DP-1", PCI(GPU) "/drm/card0/card0-DP-1")}},
    {GPU,
     "fb0 is a framebuffer of the host's console",
     {FILE_OF(PCI(GPU) "/graphics/fb0/name", "x"),
      LINK_OF("sys/class/graphics/fb0", PCI(GPU) "/graphics/fb0")}},
    {USB,
     "ttyUSB0 is a console of the host",
     {FILE_OF("sys/devices/virtual/tty/console/active", "tty0 ttyUSB0\n"),
      LINK_OF("sys/class/tty/console", "sys/devices/virtual/tty/console"),
      FILE_OF(PCI(USB) "/usb1/1-3/ttyUSB0/tty/ttyUSB0/dev", "188:0\n"),
      LINK_OF("sys/class/tty/ttyUSB0", PCI(USB) "/usb1/1-3/ttyUSB0/tty/ttyUSB0")}},
    {USB,
     "input3 is a keyboard or another input device of the host",
     {FILE_OF(PCI(USB) "/usb1/1-1/input/input3/name", "Keyboard\n"),
      LINK_OF("sys/class/input/input3", PCI(USB) "/usb1/1-1/input/input3")}},
    {USB,
     "sda1 is mounted at /media/stick",
     {FILE_OF(PCI(USB) "/usb1/1-2/block/sda/sda1/dev", "8:1\n"),
      FILE_OF(PCI(USB) "/usb1/1-2/block/sda/sda1/partition", "1\n"),
      LINK_OF("sys/block/sda", PCI(USB) "/usb1/1-2/block/sda"),
      MOUNTS("8:1 / /media/stick rw - vfat /dev/sda1 rw")}},
    {NEAR,
     "nvme2n1 is mounted at /home",
     {FILE_OF(PCI(MATE) "/nvme/nvme2/nvme2n1/dev", "259:7\n"),
      LINK_OF("sys/block/nvme2n1", PCI(MATE) "/nvme/nvme2/nvme2n1"),
      MOUNTS("259:7 / /home rw - ext4 /dev/nvme2n1 rw")}},
};

static void add_entries(const Host *host, const Entry *entries)
{
    for (const Entry *entry = entries; entry->path; entry++)
        if (entry->link)
            host_add_link(host, entry->path, entry->link);
        else
            host_add_file(host, entry->path, entry->text);
}

/* The plan for @address as root. */
static void assert_refusal(const ViommuTopology *topology, const Case *row)
{
    g_autofree char *text = g_strdup_printf("{'hostdevs': <[{'address': <'%s'>}]>}", row->address);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    const ViommuAsker root = {.kind = VIOMMU_ASKER_ROOT};
    ViommuSite site;
    const ViommuHost host = {.topology = *topology};
    const ViommuPolicy policy = {.site = &site};
    const ViommuPlanInput planning = {.request = request, .host = &host, .policy = &policy, .asker = &root};
    const ViommuPlacementInput input = viommu_plan_placing(&planning);
    ViommuPlan plan;
    ViommuPlanBuild build = {&planning, request, NULL, &plan, VIOMMU_RULE_LAST};
    g_autoptr(GError) error = NULL;

    viommu_site_init(&site);
    viommu_placement_init(&plan.placement);
    ck_assert_int_eq(viommu_plan_settle_placement(&build, &error), row->uses == NULL);
    if (row->uses) {
        ck_assert_int_eq((int)build.rule, VIOMMU_RULE_HOSTDEV_IN_USE);
        ck_assert_int_eq(error->code, VIOMMU_ERROR_POLICY_REFUSED);
        ck_assert_msg(strstr(error->message, row->uses) != NULL, "%s, instead of: %s", error->message,
                      row->uses);
    } else {
        /* Another viommud may have it, or it may have changed: the check is repeated. */
        ck_assert(viommu_placement_check_again(&input, &plan.placement, NULL));
    }
    viommu_placement_clear(&plan.placement);
    viommu_placement_init(&plan.placement);
    site.root_takes_used = true;
    if (!g_str_equal(row->address, NEAR)) {
        ck_assert(viommu_plan_settle_placement(&build, NULL));
        /* The device was free when it was planned, and is in use when the guest is to start. */
        site.root_takes_used = false;
        ck_assert_int_eq(viommu_placement_check_again(&input, &plan.placement, NULL), row->uses == NULL);
    }
    viommu_placement_clear(&plan.placement);
    viommu_site_clear(&site);
}

START_TEST(what_the_host_uses)
{
    char root[] = "/tmp/viommu-uses-XXXXXX";
    const Host host = {root};
    g_autofree char *remove = NULL;
    ViommuTopology topology;

    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    make_host(&host);
    add_entries(&host, cases[_i].entries);
    viommu_fields_init(&viommu_topology_fields, &topology);
    ck_assert(viommu_topology_read(root, &topology, NULL));
    assert_refusal(&topology, &cases[_i]);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    ck_assert_int_eq(system(remove), 0);
}
END_TEST

/* Each of them above all others, so that the number of ways grows beyond all bounds. */
static void add_mesh(const Host *host, const char *bottom, const char *directory, const char *part)
{
    const unsigned n = 9;

    for (unsigned i = 0; i < n; i++) {
        g_autofree char *first = g_strdup_printf("%s/%smesh%u/x", bottom, part, i);

        host_add_file(host, first, "");
        for (unsigned j = 0; j < n; j++) {
            g_autofree char *next = g_strdup_printf("%s/mesh%u/%smesh%u/x", directory, i, part, j);

            host_add_file(host, next, "");
        }
    }
}

START_TEST(a_mesh_of_layers)
{
    char root[] = "/tmp/viommu-uses-XXXXXX";
    const Host host = {root};
    const Case disk = {NVME, "nvme0n1 is part of mesh0", {{NULL}}},
               port = {NIC, "eth0 carries the default route through mesh8", {{NULL}}};
    const Entry entries[] = {
        FILE_OF("proc/1/net/route", "Iface\nmesh8\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\n"), {NULL}};
    g_autofree char *remove = NULL;
    ViommuTopology topology;

    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    make_host(&host);
    add_mesh(&host, DISK, "sys/block", "holders/");
    add_mesh(&host, PORT, "sys/class/net", "upper_");
    add_entries(&host, entries);
    viommu_fields_init(&viommu_topology_fields, &topology);
    ck_assert(viommu_topology_read(root, &topology, NULL));
    assert_refusal(&topology, &disk);
    assert_refusal(&topology, &port);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    ck_assert_int_eq(system(remove), 0);
}
END_TEST

/* --- The other devices of a group --- */

#define CARD  "0000:07:00.0"
#define SOUND "0000:07:00.1"

typedef struct Share {
    const char *driver; /* of SOUND, which is in the group of CARD */
    const char *allow;
    const char *asked; /* NULL: by address */
    const char *rule;  /* NULL: CARD is assigned */
} Share;

static const Share shares[] = {
    /* A user with the group can open each of its devices that VFIO has. */
    {"vfio-pci", "10de:1eb8", NULL, "hostdev-policy"},
    {"vfio-pci", "10de:1eb8", "'vendor': <'10de'>, 'device': <'1eb8'>", "hostdev-kind"},
    {"vfio-pci", "10de:1eb8;" SOUND, NULL, NULL},
    {"vfio-pci", "10de:*", "'vendor': <'10de'>, 'device': <'1eb8'>", NULL},
    {NULL, "10de:1eb8", NULL, NULL},
    {"pci-stub", "10de:1eb8", NULL, NULL},
};

static void read_shared(const char *root, const char *driver, ViommuTopology *topology)
{
    const Host host = {root};
    const HostDevice card = {CARD,           0x10de,  0x1eb8, 0x030000, "vfio-pci",
                             "0000:00:1c.0", "dmar0", 7,      -1,       NULL};
    const HostDevice sound = {SOUND, 0x10de, 0x10f8, 0x040300, driver, "0000:00:1c.0", "dmar0", 7, -1, NULL};

    make_host(&host);
    host_add_device(&host, &card);
    host_add_device(&host, &sound);
    viommu_fields_init(&viommu_topology_fields, topology);
    ck_assert(viommu_topology_read(root, topology, NULL));
}

static void assert_share(const ViommuTopology *topology, const ViommuSite *site, const Share *row)
{
    g_autofree char *text =
        g_strdup_printf("{'hostdevs': <[{%s}]>}", row->asked ? row->asked : "'address': <'" CARD "'>");
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    const ViommuAsker member = {.kind = VIOMMU_ASKER_MEMBER, .uid = 1000};
    g_autoptr(GError) error = NULL;
    const ViommuHost host = {.topology = *topology};
    const ViommuPolicy policy = {.site = site};
    const ViommuPlanInput planning = {.request = request, .host = &host, .policy = &policy, .asker = &member};
    ViommuPlacementInput input = viommu_plan_placing(&planning);
    ViommuPlan plan;
    ViommuPlanBuild build = {&planning, request, NULL, &plan, VIOMMU_RULE_LAST};
    ViommuSite nothing;

    viommu_placement_init(&plan.placement);
    ck_assert_int_eq(viommu_plan_settle_placement(&build, &error), row->rule == NULL);
    if (row->rule) {
        ck_assert_str_eq(viommu_rule_to_string(build.rule), row->rule);
        ck_assert_ptr_null(strstr(error->message, SOUND));
    } else {
        ck_assert(viommu_placement_check_again(&input, &plan.placement, NULL));
        /* Another device may be at that address now. */
        viommu_site_init(&nothing);
        input.site = &nothing;
        ck_assert(!viommu_placement_check_again(&input, &plan.placement, &error));
        ck_assert_int_eq(error->code, VIOMMU_ERROR_POLICY_REFUSED);
        viommu_site_clear(&nothing);
    }
    viommu_placement_clear(&plan.placement);
}

START_TEST(a_group_is_had_as_a_whole)
{
    char root[] = "/tmp/viommu-uses-XXXXXX";
    const Share *row = &shares[_i];
    g_autofree char *remove = NULL;
    ViommuTopology topology;
    ViommuSite site;

    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    read_shared(root, row->driver, &topology);
    viommu_site_init(&site);
    g_ptr_array_unref(site.allow);
    ck_assert(viommu_site_parse_selectors(row->allow, true, &site.allow, NULL));
    assert_share(&topology, &site, row);
    viommu_site_clear(&site);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    ck_assert_int_eq(system(remove), 0);
}
END_TEST

static const struct {
    const char *huge; /* of a transparent huge page, or the directory of a size */
    uint64_t page_bytes;
} page_sizes[] = {
    {"hugepages-64kB", 4096},
    {"hugepages-32768kB", 16384},
    {"hugepages-524288kB", 65536},
    {"hugepages-2048kB", VIOMMU_UNSET_NUMBER},
    {"2097152", 4096},
    {"33554432", 16384},
    {"536870912", 65536},
    {"2097153", VIOMMU_UNSET_NUMBER},
};

START_TEST(ordinary_pages)
{
    char root[] = "/tmp/viommu-pages-XXXXXX";
    g_autofree char *remove = NULL;
    const Host host = {.root = root};
    ViommuTopology topology;

    viommu_fields_init(&viommu_topology_fields, &topology);
    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    if (g_ascii_isdigit(*page_sizes[_i].huge))
        host_add_file(&host, "sys/kernel/mm/transparent_hugepage/hpage_pmd_size", page_sizes[_i].huge);
    else {
        g_autofree char *file =
            g_strdup_printf("sys/kernel/mm/hugepages/%s/nr_hugepages", page_sizes[_i].huge);

        host_add_file(&host, file, "0");
    }
    ck_assert(viommu_topology_read(root, &topology, NULL));
    ck_assert_uint_eq(topology.page_bytes, page_sizes[_i].page_bytes);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    ck_assert_int_eq(system(remove), 0);
}
END_TEST

/* --- Physical functions --- */

#define PF  "0000:08:00.0"
#define VF0 "0000:08:02.0"
#define VF1 "0000:08:02.1"

typedef struct Function {
    const char *allow;  /* NULL: root asks */
    const char *holder; /* of both virtual functions */
    const char *text;
} Function;

static const Function functions[] = {
    {NULL, "a", "guests use these: " VF0 " by machine 'a', " VF1 " by machine 'a'"},
    {NULL, NULL, "guests use these: " VF0 " by a guest that viommud did not make"},
    /* Of the others a member is not told. */
    {PF ";" VF1, "a", "guests use these: " VF1 " by machine 'a'"},
    {PF, "a", "guests use these: some of them by others"},
};

/* Nothing is bound to them yet: a plan alone has them. */
static void read_functions(const char *root, ViommuTopology *topology)
{
    const Host host = {root};
    const HostDevice physical = {PF,      0x8086, 0x1572, 0x020000, "vfio-pci", "0000:00:1c.0",
                                 "dmar0", 8,      -1,     NULL};
    const HostDevice virtual[] = {
        {VF0, 0x8086, 0x154c, 0x020000, NULL, "0000:00:1c.0", "dmar0", 9, -1, NULL},
        {VF1, 0x8086, 0x154c, 0x020000, NULL, "0000:00:1c.0", "dmar0", 10, -1, NULL},
    };

    make_host(&host);
    host_add_device(&host, &physical);
    for (unsigned i = 0; i < G_N_ELEMENTS(virtual); i++)
        host_add_virtual_function(&host, &physical, i, &virtual[i]);
    viommu_fields_init(&viommu_topology_fields, topology);
    ck_assert(viommu_topology_read(root, topology, NULL));
}

static void assert_function(const ViommuTopology *topology, const ViommuSite *site, const Function *row,
                            const char *asked, size_t n_claims)
{
    g_autofree char *text = g_strdup_printf("{'hostdevs': <[{%s}]>}", asked);
    g_autoptr(GVariant) tree = g_variant_parse(G_VARIANT_TYPE_VARDICT, text, NULL, NULL, NULL);
    g_autoptr(ViommuRequest) request = viommu_request_parse(tree, NULL);
    const ViommuAsker asker = {.kind = row->allow ? VIOMMU_ASKER_MEMBER : VIOMMU_ASKER_ROOT, .uid = 1000};
    const ViommuClaim claims[] = {{VF0, row->holder, false}, {VF1, row->holder, false}};
    const ViommuHost host = {.topology = *topology};
    const ViommuPolicy policy = {.site = site};
    const ViommuPlanInput planning = {.request = request,
                                      .host = &host,
                                      .policy = &policy,
                                      .asker = &asker,
                                      .claims = claims,
                                      .n_claims = n_claims};
    ViommuPlan plan;
    ViommuPlanBuild build = {&planning, request, NULL, &plan, VIOMMU_RULE_LAST};
    g_autoptr(GError) error = NULL;

    viommu_placement_init(&plan.placement);
    ck_assert_int_eq(viommu_plan_settle_placement(&build, &error), n_claims == 0);
    if (n_claims > 0) {
        ck_assert_str_eq(viommu_rule_to_string(build.rule), "hostdev-claimed");
        if (strstr(asked, "address"))
            ck_assert_msg(strstr(error->message, row->text) != NULL, "%s", error->message);
        if (row->allow && !strstr(row->allow, VF0))
            ck_assert_ptr_null(strstr(error->message, VF0));
    }
    viommu_placement_clear(&plan.placement);
}

/* Guests lose their virtual functions when the physical one changes its driver. */
START_TEST(physical_functions_of_others)
{
    char root[] = "/tmp/viommu-uses-XXXXXX";
    const Function *row = &functions[_i];
    g_autofree char *remove = NULL;
    ViommuTopology topology;
    ViommuSite site;

    ck_assert_ptr_nonnull(g_mkdtemp(root));
    remove = g_strdup_printf("rm -r %s", root);
    read_functions(root, &topology);
    viommu_site_init(&site);
    if (row->allow) {
        g_ptr_array_unref(site.allow);
        ck_assert(viommu_site_parse_selectors(row->allow, true, &site.allow, NULL));
    }
    for (size_t n_claims = 0; n_claims <= 2; n_claims += 2) {
        assert_function(&topology, &site, row, "'address': <'" PF "'>", n_claims);
        assert_function(&topology, &site, row, "'vendor': <'8086'>, 'device': <'1572'>", n_claims);
    }
    viommu_site_clear(&site);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    ck_assert_int_eq(system(remove), 0);
}
END_TEST

int main(void)
{
    TCase *tcase = tcase_create("uses");

    tcase_add_loop_test(tcase, a_group_is_had_as_a_whole, 0, G_N_ELEMENTS(shares));
    tcase_add_loop_test(tcase, ordinary_pages, 0, G_N_ELEMENTS(page_sizes));

    tcase_add_loop_test(tcase, physical_functions_of_others, 0, G_N_ELEMENTS(functions));
    tcase_add_loop_test(tcase, what_the_host_uses, 0, G_N_ELEMENTS(cases));
    tcase_add_test(tcase, a_mesh_of_layers);
    return unit_run_case("uses", tcase);
}
