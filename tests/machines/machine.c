/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: the files and links of a machine.  Knows where Linux puts them, not the machines. */
#include "tests/machines/machine.h"

#include <string.h>
#include <unistd.h>

#define TABLES "sys/firmware/acpi/tables"

/* --- Files --- */

static char *make_place(const Host *host, const char *path)
{
    char *place = g_build_filename(host->root, path, NULL);
    g_autofree char *directory = g_path_get_dirname(place);

    if (g_mkdir_with_parents(directory, 0755) < 0)
        g_error("cannot make %s", directory);
    return place;
}

static void add_bytes(const Host *host, const char *path, const void *data, size_t size)
{
    g_autofree char *place = make_place(host, path);
    g_autoptr(GError) error = NULL;

    if (!g_file_set_contents(place, data, (gssize)size, &error))
        g_error("%s", error->message);
}

void host_add_file(const Host *host, const char *path, const char *text)
{
    add_bytes(host, path, text, strlen(text));
}

static void add_line(const Host *host, const char *directory, const char *name, const char *format, ...)
    G_GNUC_PRINTF(4, 5);

static void add_line(const Host *host, const char *directory, const char *name, const char *format, ...)
{
    g_autofree char *path = g_build_filename(directory, name, NULL), *text = NULL, *line = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    line = g_strconcat(text, "\n", NULL);
    host_add_file(host, path, line);
}

static void add_directory(const Host *host, const char *path)
{
    g_autofree char *place = g_build_filename(host->root, path, NULL);

    if (g_mkdir_with_parents(place, 0755) < 0)
        g_error("cannot make %s", place);
}

void host_add_link(const Host *host, const char *path, const char *target)
{
    g_autofree char *place = make_place(host, path);
    g_autoptr(GString) relative = g_string_new(NULL);

    for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
        g_string_append(relative, "../");
    g_string_append(relative, target);
    if (symlink(relative->str, place) < 0)
        g_error("cannot link %s", place);
}

/* --- Devices --- */

void host_add_iommu(const Host *host, const HostIommu *iommu)
{
    g_autofree char *parent = iommu->parent ? g_strdup_printf("sys/devices/%s", iommu->parent) : NULL;
    g_autofree char *place = parent ? g_strdup_printf("%s/iommu/%s", parent, iommu->name)
                                    : g_strdup_printf("sys/devices/virtual/iommu/%s", iommu->name);
    g_autofree char *class = g_strdup_printf("sys/class/iommu/%s", iommu->name);

    add_directory(host, place);
    if (iommu->cap)
        add_line(host, place, "intel-iommu/cap", "%s", iommu->cap);
    if (iommu->ecap)
        add_line(host, place, "intel-iommu/ecap", "%s", iommu->ecap);
    if (iommu->features)
        add_line(host, place, "amd-iommu/features", "%s", iommu->features);
    if (parent) {
        g_autofree char *device = g_strdup_printf("%s/device", place);

        host_add_link(host, device, parent);
    }
    if (iommu->driver) {
        g_autofree char *driver = g_strdup_printf("%s/driver", parent);
        g_autofree char *target = g_strdup_printf("sys/bus/virtio/drivers/%s", iommu->driver);

        add_directory(host, target);
        host_add_link(host, driver, target);
    }
    host_add_link(host, class, place);
}

/* "sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0" */
static char *device_place(const HostDevice *device)
{
    const char *top = device->below ? device->below : device->address;
    /* "0000:3a" */
    g_autofree char *bus = g_strndup(top, 7);

    return device->below ? g_strdup_printf("sys/devices/pci%s/%s/%s", bus, device->below, device->address)
                         : g_strdup_printf("sys/devices/pci%s/%s", bus, device->address);
}

static void link_device(const Host *host, const char *place, const char *name, const char *format,
                        const char *target)
{
    g_autofree char *path = g_strdup_printf("%s/%s", place, name);
    g_autofree char *full = g_strdup_printf("%s/%s", format, target);

    host_add_link(host, path, full);
}

static void add_group(const Host *host, const HostDevice *device, const char *place)
{
    g_autofree char *number = g_strdup_printf("%d", device->group);
    g_autofree char *group = g_strdup_printf("sys/kernel/iommu_groups/%d", device->group);
    g_autofree char *member = g_strdup_printf("%s/devices/%s", group, device->address);

    add_line(host, group, "type", "DMA-FQ");
    host_add_link(host, member, place);
    link_device(host, place, "iommu_group", "sys/kernel/iommu_groups", number);
}

void host_add_device(const Host *host, const HostDevice *device)
{
    g_autofree char *place = device_place(device);
    g_autofree char *bus = g_strdup_printf("sys/bus/pci/devices/%s", device->address);

    add_line(host, place, "vendor", "0x%04x", device->vendor);
    add_line(host, place, "device", "0x%04x", device->device);
    add_line(host, place, "class", "0x%06x", device->class_code);
    add_line(host, place, "numa_node", "%d", device->node);
    host_add_link(host, bus, place);
    if (device->driver) {
        g_autofree char *driver = g_strdup_printf("sys/bus/pci/drivers/%s", device->driver);

        add_directory(host, driver);
        link_device(host, place, "driver", "sys/bus/pci/drivers", device->driver);
    }
    if (device->iommu)
        link_device(host, place, "iommu", "sys/class/iommu", device->iommu);
    if (device->cdev) {
        g_autofree char *cdev = g_strdup_printf("%s/vfio-dev/%s", place, device->cdev);

        add_directory(host, cdev);
    }
    if (device->group != HOST_NO_GROUP)
        add_group(host, device, place);
}

void host_add_regions(const Host *host, int group, const char *lines)
{
    g_autofree char *path = g_strdup_printf("sys/kernel/iommu_groups/%d/reserved_regions", group);

    host_add_file(host, path, lines);
}

void host_add_virtual_function(const Host *host, const HostDevice *physical, unsigned index,
                               const HostDevice *device)
{
    g_autofree char *above = device_place(physical), *place = device_place(device);
    g_autofree char *name = g_strdup_printf("virtfn%u", index);

    host_add_device(host, device);
    link_device(host, place, "physfn", "sys/bus/pci/devices", physical->address);
    link_device(host, above, name, "sys/bus/pci/devices", device->address);
}

void host_set_virtual_functions(const Host *host, const HostDevice *physical, unsigned most)
{
    g_autofree char *place = device_place(physical);

    add_line(host, place, "sriov_totalvfs", "%u", most);
}

void host_set_interrupts(const Host *host, bool remapped)
{
    static const char *const plain[] = {"IO-APIC", "DMAR-MSI", "PCI-MSI-0000:16:00.0"};
    static const char *const safe[] = {"IR-IO-APIC", "DMAR-MSI", "IR-PCI-MSI-0000:16:00.0"};

    for (unsigned i = 0; i < G_N_ELEMENTS(plain); i++) {
        g_autofree char *place = g_strdup_printf("sys/kernel/irq/%u", i);

        add_line(host, place, "chip_name", "%s", remapped ? safe[i] : plain[i]);
    }
}

void host_set_parameter(const Host *host, const char *module, const char *parameter, const char *value)
{
    g_autofree char *place = g_strdup_printf("sys/module/%s/parameters", module);

    add_line(host, place, parameter, "%s", value);
}

char *host_device_path(const HostDevice *device, const char *rest)
{
    g_autofree char *place = device_place(device);

    return g_strdup_printf("%s/%s", place, rest);
}

void host_set_noiommu(const Host *host, int group)
{
    g_autofree char *place = g_strdup_printf("sys/kernel/iommu_groups/%d", group);

    add_line(host, place, "name", "vfio-noiommu");
}

/* --- Memory, kernel --- */

void host_add_node(const Host *host, int node, uint64_t memory_mib)
{
    g_autofree char *place = g_strdup_printf("sys/devices/system/node/node%d", node);

    add_line(host, place, "meminfo",
             "Node %d MemTotal:       %" G_GUINT64_FORMAT " kB\nNode %d MemFree:  1024 kB", node,
             memory_mib * 1024, node);
    host_add_huge_pages(host, node, 2048, 0, 0);
    host_add_huge_pages(host, node, 1048576, 0, 0);
}

void host_add_huge_pages(const Host *host, int node, uint64_t size_kib, unsigned total, unsigned free)
{
    g_autofree char *place = g_strdup_printf(
        "sys/devices/system/node/node%d/hugepages/hugepages-%" G_GUINT64_FORMAT "kB", node, size_kib);

    add_line(host, place, "nr_hugepages", "%u", total);
    add_line(host, place, "free_hugepages", "%u", free);
}

void host_add_vfio(const Host *host, bool iommufd)
{
    host_add_file(host, "dev/vfio/vfio", "");
    if (iommufd)
        host_add_file(host, "dev/iommu", "");
}

void host_set_kernel(const Host *host, const char *release)
{
    add_line(host, "proc/sys/kernel", "osrelease", "%s", release);
    /* Shows that nothing is mounted, swapped or routed. */
    host_add_file(host, "proc/1/mountinfo", "");
    host_add_file(host, "proc/1/net/dev", "");
    host_add_file(host, "proc/swaps", "");
}

void host_add_assignable(const Host *host, const HostDevice *devices, size_t n)
{
    static const uint64_t base = 0xfed90000;

    host_add_acpi(host);
    host_set_kernel(host, "6.12.43");
    host_add_dmar(host, &base, 1);
    host_add_iommu(host, &(HostIommu){.name = "dmar0", .cap = "8d2078c106f0466"});
    for (size_t i = 0; i < n; i++)
        host_add_device(host, &devices[i]);
    host_add_vfio(host, false);
}

void host_set_command_line(const Host *host, const char *text)
{
    add_line(host, "proc", "cmdline", "%s", text);
    host_add_file(host, "dev/kmsg", "");
}

void host_set_locked_limit(const Host *host, int pid, const char *soft, const char *hard)
{
    g_autofree char *place = g_strdup_printf("proc/%d", pid);

    add_line(host, place, "limits",
             "Limit                     Soft Limit           Hard Limit           Units     \n"
             "Max processes             95985                95985                processes \n"
             "Max locked memory         %-20s %-20s bytes     \n"
             "Max address space         unlimited            unlimited            bytes     ",
             soft, hard);
}

/* --- Tables --- */

static void put(GByteArray *table, size_t offset, uint64_t number, size_t bytes)
{
    g_assert(bytes <= 8 || number == 0);
    if (table->len < offset + bytes) {
        guint before = table->len;

        g_byte_array_set_size(table, (guint)(offset + bytes));
        memset(table->data + before, 0, table->len - before);
    }
    for (size_t i = 0; i < bytes; i++)
        table->data[offset + i] = i < 8 ? (uint8_t)(number >> (8 * i)) : 0;
}

static GByteArray *table_new(const char *name, size_t fixed)
{
    GByteArray *table = g_byte_array_new();

    put(table, fixed - 1, 0, 1);
    memcpy(table->data, name, 4);
    put(table, 8, 1, 1);
    memcpy(table->data + 10, "VIOMMUMACHINE ", 14);
    return table;
}

void table_seal(GByteArray *table)
{
    uint8_t sum = 0;

    put(table, 4, table->len, 4);
    put(table, 9, 0, 1);
    for (guint i = 0; i < table->len; i++)
        sum = (uint8_t)(sum + table->data[i]);
    put(table, 9, (uint8_t)-sum, 1);
}

GByteArray *table_dmar(const uint64_t *bases, size_t n)
{
    GByteArray *table = table_new("DMAR", 48);

    put(table, 36, 38, 1); /* 39 bits of physical address */
    put(table, 37, 1, 1);  /* INTR_REMAP */
    for (size_t i = 0; i < n; i++) {
        size_t at = table->len;

        put(table, at, 0, 2);
        put(table, at + 2, 24, 2);
        put(table, at + 4, i + 1 == n, 1); /* only the last has INCLUDE_PCI_ALL */
        put(table, at + 8, bases[i], 8);
        /* Device scope: an endpoint at 02.0. */
        put(table, at + 16, 1, 1);
        put(table, at + 17, 8, 1);
        put(table, at + 22, 2, 2);
    }
    /* A reserved memory region (RMRR), which is not a unit. */
    put(table, table->len, 1 | 24 << 16, 4);
    put(table, table->len, 0, 20);
    return table;
}

GByteArray *table_ivrs(const uint64_t *bases, size_t n)
{
    GByteArray *table = table_new("IVRS", 48);

    put(table, 36, 0x00203040, 4);
    for (size_t i = 0; i < n; i++) {
        size_t at = table->len;

        put(table, at, 0x11, 1);
        put(table, at + 2, 44, 2);
        put(table, at + 4, 2, 2);
        put(table, at + 8, bases[i], 8);
        /* All devices. */
        put(table, at + 40, 1, 4);
    }
    return table;
}

GByteArray *table_iort(const HostSmmu *nodes, size_t n)
{
    GByteArray *table = table_new("IORT", 48);

    put(table, 36, n, 4);
    put(table, 40, 48, 4);
    for (size_t i = 0; i < n; i++) {
        size_t at = table->len;
        bool smmu = nodes[i].type == 3 || nodes[i].type == 4;

        put(table, at, nodes[i].type, 1);
        put(table, at + 1, smmu ? 76 : 24, 2);
        put(table, at + (smmu ? 75 : 23), 0, 1);
        if (smmu)
            put(table, at + 16, nodes[i].base, 8);
    }
    return table;
}

GByteArray *table_viot(unsigned bdf)
{
    GByteArray *table = table_new("VIOT", 48);

    put(table, 36, 2, 2);
    put(table, 38, 48, 2);
    put(table, 48, 3, 1);
    put(table, 50, 16, 2);
    put(table, 54, bdf, 2);
    put(table, 63, 0, 1);
    /* A range of endpoints. */
    put(table, 64, 1, 1);
    put(table, 66, 24, 2);
    put(table, 87, 0, 1);
    return table;
}

void host_add_acpi(const Host *host)
{
    host_add_file(host, TABLES "/FACP", "FACP");
    host_add_file(host, TABLES "/APIC", "APIC");
}

void host_add_table(const Host *host, const char *name, GByteArray *table, bool seal)
{
    g_autofree char *path = g_strdup_printf(TABLES "/%s", name);

    if (seal)
        table_seal(table);
    add_bytes(host, path, table->data, table->len);
    g_byte_array_unref(table);
}

void host_add_dmar(const Host *host, const uint64_t *bases, size_t n)
{
    host_add_table(host, "DMAR", table_dmar(bases, n), true);
}

void host_add_ivrs(const Host *host, const uint64_t *bases, size_t n)
{
    host_add_table(host, "IVRS", table_ivrs(bases, n), true);
}

void host_add_iort(const Host *host, const HostSmmu *nodes, size_t n)
{
    host_add_table(host, "IORT", table_iort(nodes, n), true);
}

void host_add_viot(const Host *host, unsigned bdf)
{
    host_add_table(host, "VIOT", table_viot(bdf), true);
}
