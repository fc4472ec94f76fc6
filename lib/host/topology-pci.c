/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-pci: PCI devices with their drivers, groups and IOMMUs. */
#include "lib/host/topology-internal.h"

#include "lib/base/pci-address.h"

#define DEVICES "sys/bus/pci/devices"
#define BRIDGE  0x06
/* The most regions of one group that are kept. */
/* A damaged file must not make the sum overflow. */
#define LARGEST_BAR (UINT64_C(1) << 48)
#define REGIONS_MAX 16

bool viommu_pci_device_is_bridge(const ViommuPciDevice *device)
{
    return device->class_code >> 16 == BRIDGE;
}

const char *viommu_pci_device_noun(const ViommuPciDevice *device)
{
    /* A class with a subclass before the class alone. */
    static const struct {
        uint64_t code, mask;
        const char *noun;
    } nouns[] = {
        {0x010800, 0xffff00, "nvme"},     {0x010000, 0xff0000, "storage"},
        {0x020000, 0xff0000, "network"},  {0x030000, 0xff0000, "display"},
        {0x040300, 0xffff00, "audio"},    {0x040000, 0xff0000, "multimedia"},
        {0x050000, 0xff0000, "memory"},   {0x060000, 0xff0000, "bridge"},
        {0x070000, 0xff0000, "serial"},   {0x080000, 0xff0000, "system"},
        {0x0c0300, 0xffff00, "usb"},      {0x0c0000, 0xff0000, "bus"},
        {0x0d0000, 0xff0000, "wireless"}, {0x100000, 0xff0000, "encryption"},
        {0x110000, 0xff0000, "signals"},  {0x120000, 0xff0000, "accelerator"},
    };

    for (size_t i = 0; i < G_N_ELEMENTS(nouns); i++)
        if ((device->class_code & nouns[i].mask) == nouns[i].code)
            return nouns[i].noun;
    return "device";
}

/* Other text could not be recorded or shown. */
static char *take_text(char *text)
{
    if (text && !viommu_fields_is_text(text))
        g_clear_pointer(&text, g_free);
    return text;
}

/* False: there is no such device, or none any more.  A device that cannot be identified is kept:
 * without it the rest of its group would seem free. */
static bool read_identity(const ViommuRoot *root, const char *address, ViommuPciDevice *device)
{
    const struct {
        const char *file;
        uint64_t *member, max;
    } numbers[] = {
        {"vendor", &device->vendor, VIOMMU_PCI_NO_VENDOR},
        {"device", &device->device, 0xffff},
        {"class", &device->class_code, 0xffffff},
    };
    ViommuPciAddress parsed;
    bool known = true;

    if (!viommu_pci_address_parse(address, &parsed))
        return false;
    /* Linux writes these with "0x"; a damaged file without it must not be read as decimal. */
    for (size_t i = 0; i < G_N_ELEMENTS(numbers); i++) {
        g_autofree char *text = viommu_root_text(root, DEVICES "/%s/%s", address, numbers[i].file);

        known &= text && g_str_has_prefix(text, "0x") &&
                 g_ascii_string_to_unsigned(text + 2, 16, 0, numbers[i].max, numbers[i].member, NULL);
    }
    for (size_t i = 0; !known && i < G_N_ELEMENTS(numbers); i++)
        *numbers[i].member = numbers[i].max;
    if (!known && !viommu_root_exists(root, DEVICES "/%s/.", address))
        return false;
    device->address = g_strdup(address);
    return true;
}

bool viommu_pci_device_is_unknown(const ViommuPciDevice *device)
{
    return device->vendor == VIOMMU_PCI_NO_VENDOR;
}

/* VFIO's no-IOMMU mode also makes groups, which isolate nothing. */
static void read_group(const ViommuRoot *root, ViommuPciDevice *device)
{
    g_autofree char *group = viommu_root_link(root, DEVICES "/%s/iommu_group", device->address);
    g_autofree char *name = viommu_root_text(root, DEVICES "/%s/iommu_group/name", device->address);

    if (!group || g_strcmp0(name, "vfio-noiommu") == 0)
        return;
    if (!g_ascii_string_to_unsigned(group, 10, 0, G_MAXINT32, &device->group, NULL))
        device->group = VIOMMU_UNSET_NUMBER;
}

/* "0x000000007b800000 0x000000007fffffff direct": a region of the firmware (RMRR of a DMAR, IVMD of
 * an IVRS, RMR of an IORT).  A direct-relaxable one matters only until the host has booted. */
static char *direct_region(const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    guint64 first, last;

    if (g_strv_length(words) != 3 || !g_str_equal(words[2], "direct"))
        return NULL;
    first = g_ascii_strtoull(words[0], NULL, 16);
    last = g_ascii_strtoull(words[1], NULL, 16);
    return g_strdup_printf("0x%" G_GINT64_MODIFIER "x-0x%" G_GINT64_MODIFIER "x", first, last);
}

static void read_regions(const ViommuRoot *root, ViommuPciDevice *device)
{
    g_autofree char *path =
        g_strdup_printf("sys/kernel/iommu_groups/%" G_GUINT64_FORMAT "/reserved_regions", device->group);
    g_auto(GStrv) lines = viommu_root_lines(root, path, VIOMMU_ROOT_TEXT_MAX);
    GPtrArray *found = g_ptr_array_new();

    for (char **line = lines; line && *line && found->len < REGIONS_MAX; line++) {
        char *region = direct_region(*line);

        if (region)
            g_ptr_array_add(found, region);
    }
    if (found->len > 0)
        g_ptr_array_add(found, NULL);
    device->direct_regions = (char **)g_ptr_array_free(found, FALSE);
}

/* Of SR-IOV. */
static void read_functions(const ViommuRoot *root, ViommuPciDevice *device)
{
    device->physical_function = take_text(viommu_root_link(root, DEVICES "/%s/physfn", device->address));
    if (!viommu_root_number(root, &device->virtual_functions, DEVICES "/%s/sriov_totalvfs",
                            device->address) ||
        device->virtual_functions == 0 || device->virtual_functions > 0xffff)
        device->virtual_functions = VIOMMU_UNSET_NUMBER;
}

/* "0x0000380000000000 0x00003807ffffffff 0x000000000014220c": six BARs, then others.  The flags are
 * those of Linux 6.12 include/linux/ioport.h: memory, and 64 bits wide. */
static void read_bars(const ViommuRoot *root, ViommuPciDevice *device)
{
    static const guint64 wide = 0x100200;
    g_autofree char *path = g_strdup_printf(DEVICES "/%s/resource", device->address);
    g_auto(GStrv) lines = viommu_root_lines(root, path, VIOMMU_ROOT_TEXT_MAX);
    uint64_t sum = 0;

    for (int i = 0; i < 6 && lines && lines[i]; i++) {
        g_auto(GStrv) words = g_strsplit(lines[i], " ", -1);
        bool known = g_strv_length(words) == 3;
        guint64 first = known ? g_ascii_strtoull(words[0], NULL, 16) : 0;
        guint64 last = known ? g_ascii_strtoull(words[1], NULL, 16) : 0;

        if (known && last > first && (g_ascii_strtoull(words[2], NULL, 16) & wide) == wide)
            sum += MIN(last - first + 1, LARGEST_BAR);
    }
    if (sum >= VIOMMU_PCI_LARGE_BARS)
        device->large_bar_bytes = sum;
}

static void read_rest(const ViommuRoot *root, ViommuPciDevice *device)
{
    g_auto(GStrv) cdevs = viommu_root_list(root, DEVICES "/%s/vfio-dev", device->address);

    g_autofree char *driver = viommu_root_link(root, DEVICES "/%s/driver", device->address);

    /* A driver with an unprintable name still counts as a driver. */
    if (driver)
        device->driver = g_strdup(viommu_fields_is_text(driver) ? driver : "?");
    device->iommu = take_text(viommu_root_link(root, DEVICES "/%s/iommu", device->address));
    device->cdev = take_text(g_strdup(cdevs ? cdevs[0] : NULL));
    /* A machine without NUMA nodes shows -1, which does not parse as a number. */
    if (!viommu_root_number(root, &device->node, DEVICES "/%s/numa_node", device->address) ||
        device->node > 1023)
        device->node = VIOMMU_UNSET_NUMBER;
    read_functions(root, device);
    read_bars(root, device);
    read_group(root, device);
    if (device->group == VIOMMU_UNSET_NUMBER)
        return;
    read_regions(root, device);
    device->usable = viommu_root_usable(root, "dev/vfio/%" G_GUINT64_FORMAT, device->group);
}

/* Bridges alone in their groups are useless here, and each server has a hundred. */
static void drop_lone_bridges(GPtrArray *devices)
{
    g_autoptr(GHashTable) endpoint_groups = g_hash_table_new(g_int64_hash, g_int64_equal);

    for (guint i = 0; i < devices->len; i++) {
        ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (!viommu_pci_device_is_bridge(device) && device->group != VIOMMU_UNSET_NUMBER)
            g_hash_table_add(endpoint_groups, &device->group);
    }
    for (guint i = devices->len; i > 0; i--) {
        ViommuPciDevice *device = g_ptr_array_index(devices, i - 1);

        if (!viommu_pci_device_is_bridge(device) || g_hash_table_contains(endpoint_groups, &device->group))
            continue;
        viommu_fields_clear(&viommu_topology_device_fields, device);
        g_free(g_ptr_array_remove_index(devices, i - 1));
    }
}

void viommu_topology_read_devices(const ViommuRoot *root, ViommuTopology *topology)
{
    g_auto(GStrv) addresses = viommu_root_list(root, DEVICES);

    for (size_t i = 0; addresses && addresses[i] && i < VIOMMU_TOPOLOGY_DEVICES_MAX; i++) {
        ViommuPciDevice found = {.vendor = 0}, *device;

        if (!viommu_fields_is_text(addresses[i]) || !read_identity(root, addresses[i], &found))
            continue;
        device = viommu_topology_add(&topology->devices, &viommu_topology_device_fields);
        device->address = found.address;
        device->vendor = found.vendor;
        device->device = found.device;
        device->class_code = found.class_code;
        read_rest(root, device);
    }
    if (topology->devices)
        drop_lone_bridges(topology->devices);
}
