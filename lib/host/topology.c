/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology: the tables of fields, and the order of the readers.  Knows the kernel's command
 * line. */
#include "lib/host/topology.h"

#include <string.h>

#include "lib/base/platform.h"
#include "lib/host/topology-internal.h"

#define CPUINFO_MAX (4u << 20)

VIOMMU_ENUM_DEFINE(iommu_kind, "kind of IOMMU", VIOMMU_IOMMU_KIND_LAST, "intel", "amd", "smmuv3", "smmu",
                   "virtio", "other");
VIOMMU_ENUM_DEFINE(table_state, "state of a table", VIOMMU_TABLE_STATE_LAST, "good", "broken", "unread");

#define FIELDS_OF(name, type)                                                                         \
    const ViommuFields viommu_topology_##name##_fields = {name##_fields, G_N_ELEMENTS(name##_fields), \
                                                          sizeof(type), -1}

static const ViommuField table_fields[] = {
    {"name", VIOMMU_FIELD_STRING, offsetof(ViommuAcpiTable, name), .required = true},
    {"state", VIOMMU_FIELD_ENUM, offsetof(ViommuAcpiTable, state), .words = &viommu_enum_table_state,
     .required = true},
    {"units", VIOMMU_FIELD_NUMBER, offsetof(ViommuAcpiTable, units)},
    {"problem", VIOMMU_FIELD_STRING, offsetof(ViommuAcpiTable, problem)},
    {"interrupt-remapping", VIOMMU_FIELD_FLAG, offsetof(ViommuAcpiTable, interrupt_remapping)},
};
FIELDS_OF(table, ViommuAcpiTable);

static const ViommuField iommu_fields[] = {
    {"name", VIOMMU_FIELD_STRING, offsetof(ViommuHostIommu, name), .required = true},
    {"kind", VIOMMU_FIELD_ENUM, offsetof(ViommuHostIommu, kind), .words = &viommu_enum_iommu_kind,
     .required = true},
    {"width", VIOMMU_FIELD_NUMBER, offsetof(ViommuHostIommu, width_bits), .min = 1, .max = 64},
    {"interrupt-remapping", VIOMMU_FIELD_FLAG, offsetof(ViommuHostIommu, interrupt_remapping)},
};
FIELDS_OF(iommu, ViommuHostIommu);

static const ViommuField device_fields[] = {
    {"address", VIOMMU_FIELD_STRING, offsetof(ViommuPciDevice, address), .required = true},
    {"vendor", VIOMMU_FIELD_NUMBER, offsetof(ViommuPciDevice, vendor), .max = 0xffff, .required = true},
    {"device", VIOMMU_FIELD_NUMBER, offsetof(ViommuPciDevice, device), .max = 0xffff, .required = true},
    {"class", VIOMMU_FIELD_NUMBER, offsetof(ViommuPciDevice, class_code), .max = 0xffffff, .required = true},
    {"driver", VIOMMU_FIELD_STRING, offsetof(ViommuPciDevice, driver)},
    {"node", VIOMMU_FIELD_NUMBER, offsetof(ViommuPciDevice, node), .max = 1023},
    {"group", VIOMMU_FIELD_NUMBER, offsetof(ViommuPciDevice, group), .max = G_MAXINT32},
    {"iommu", VIOMMU_FIELD_STRING, offsetof(ViommuPciDevice, iommu)},
    {"usable", VIOMMU_FIELD_FLAG, offsetof(ViommuPciDevice, usable)},
    {"uses", VIOMMU_FIELD_WORDS, offsetof(ViommuPciDevice, uses)},
    {"cdev", VIOMMU_FIELD_STRING, offsetof(ViommuPciDevice, cdev)},
    {"direct-regions", VIOMMU_FIELD_WORDS, offsetof(ViommuPciDevice, direct_regions)},
    {"physical-function", VIOMMU_FIELD_STRING, offsetof(ViommuPciDevice, physical_function)},
    {"large-bars", VIOMMU_FIELD_SIZE, offsetof(ViommuPciDevice, large_bar_bytes)},
    {"virtual-functions", VIOMMU_FIELD_NUMBER, offsetof(ViommuPciDevice, virtual_functions), .max = 0xffff},
};
FIELDS_OF(device, ViommuPciDevice);

static const ViommuField huge_pages_fields[] = {
    {"size", VIOMMU_FIELD_SIZE, offsetof(ViommuHugePages, size_bytes), .min = 1, .required = true},
    {"total", VIOMMU_FIELD_NUMBER, offsetof(ViommuHugePages, total)},
    {"free", VIOMMU_FIELD_NUMBER, offsetof(ViommuHugePages, free)},
};
FIELDS_OF(huge_pages, ViommuHugePages);

static const ViommuField node_fields[] = {
    {"node", VIOMMU_FIELD_NUMBER, offsetof(ViommuNode, node), .max = 1023, .required = true},
    {"memory", VIOMMU_FIELD_SIZE, offsetof(ViommuNode, memory_bytes)},
    {"huge-pages", VIOMMU_FIELD_LIST, offsetof(ViommuNode, huge_pages),
     .fields = &viommu_topology_huge_pages_fields, .max = 16},
};
FIELDS_OF(node, ViommuNode);

static const ViommuField topology_fields[] = {
    {"kernel", VIOMMU_FIELD_VERSION, offsetof(ViommuTopology, kernel)},
    {"page-size", VIOMMU_FIELD_SIZE, offsetof(ViommuTopology, page_bytes), .min = 4096},
    {"cpu-vendor", VIOMMU_FIELD_ENUM, offsetof(ViommuTopology, cpu_vendor), .words = &viommu_enum_cpu_vendor},
    {"cpu-address-bits", VIOMMU_FIELD_NUMBER, offsetof(ViommuTopology, cpu_address_bits), .min = 32,
     .max = 64},
    {"nested", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, nested)},
    {"acpi", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, acpi)},
    {"tables", VIOMMU_FIELD_LIST, offsetof(ViommuTopology, tables), .fields = &viommu_topology_table_fields,
     .max = 16},
    {"kernel-options", VIOMMU_FIELD_WORDS, offsetof(ViommuTopology, kernel_options)},
    {"iommus", VIOMMU_FIELD_LIST, offsetof(ViommuTopology, iommus), .fields = &viommu_topology_iommu_fields,
     .max = VIOMMU_TOPOLOGY_IOMMUS_MAX},
    {"devices", VIOMMU_FIELD_LIST, offsetof(ViommuTopology, devices),
     .fields = &viommu_topology_device_fields, .max = VIOMMU_TOPOLOGY_DEVICES_MAX},
    {"vfio-drivers", VIOMMU_FIELD_WORDS, offsetof(ViommuTopology, vfio_drivers)},
    {"nodes", VIOMMU_FIELD_LIST, offsetof(ViommuTopology, nodes), .fields = &viommu_topology_node_fields,
     .max = VIOMMU_TOPOLOGY_NODES_MAX},
    {"vfio", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, vfio)},
    {"iommufd", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, iommufd)},
    {"iommufd-usable", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, iommufd_usable)},
    {"iommufd-loadable", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, iommufd_loadable)},
    {"vhost-vsock", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, vhost_vsock)},
    {"vhost-vsock-usable", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, vhost_vsock_usable)},
    {"vhost-vsock-rule", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, vhost_vsock_rule)},
    {"interrupt-remapping", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, interrupt_remapping)},
    {"unsafe-interrupts", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, unsafe_interrupts)},
    {"iommufd-unsafe-interrupts", VIOMMU_FIELD_FLAG, offsetof(ViommuTopology, iommufd_unsafe_interrupts)},
    {"dma-entry-limit", VIOMMU_FIELD_NUMBER, offsetof(ViommuTopology, dma_entry_limit)},
};
const ViommuFields viommu_topology_fields = {topology_fields, G_N_ELEMENTS(topology_fields),
                                             sizeof(ViommuTopology), offsetof(ViommuTopology, present)};

void *viommu_topology_add(GPtrArray **list, const ViommuFields *table)
{
    void *entry = g_malloc0(table->struct_size);

    viommu_fields_init(table, entry);
    if (!*list)
        *list = g_ptr_array_new();
    g_ptr_array_add(*list, entry);
    return entry;
}

/* The other words of a command line may be secret, and are not needed. */
static bool concerns_us(const char *word)
{
    static const char *const beginnings[] = {"iommu",      "intel_iommu", "amd_iommu",         "arm-smmu",
                                             "arm_smmu",   "vfio",        "pcie_acs_override", "intremap",
                                             "nointremap", "ivrs_",       "iommufd",           "disable_ddw"};

    for (size_t i = 0; i < G_N_ELEMENTS(beginnings); i++)
        if (g_str_has_prefix(word, beginnings[i]))
            return strlen(word) <= 256;
    return false;
}

static void read_kernel_options(const ViommuRoot *root, ViommuTopology *topology)
{
    g_autofree char *line = viommu_root_text(root, "proc/cmdline");
    g_auto(GStrv) words = line ? g_strsplit_set(line, " \n", -1) : NULL;
    GPtrArray *taken = g_ptr_array_new();

    for (char **word = words; word && *word && taken->len < 64 && !g_str_equal(*word, "--"); word++)
        if (concerns_us(*word) && viommu_fields_is_text(*word))
            g_ptr_array_add(taken, g_strdup(*word));
    if (taken->len == 0) {
        g_ptr_array_unref(taken);
        return;
    }
    g_ptr_array_add(taken, NULL);
    topology->kernel_options = (char **)g_ptr_array_free(taken, FALSE);
}

/* ": 46 bits physical, 48 bits virtual" */
static void read_address_bits(const char *value, ViommuTopology *topology)
{
    g_auto(GStrv) words = value ? g_strsplit(value, " ", 4) : NULL;
    guint64 bits;

    if (words && g_strv_length(words) == 4 && g_str_equal(words[2], "bits") &&
        g_str_has_prefix(words[3], "physical") &&
        g_ascii_string_to_unsigned(words[1], 10, 32, 64, &bits, NULL))
        topology->cpu_address_bits = bits;
}

/* As /proc/cpuinfo has it: the first processor stands for all. */
static void read_cpu(const ViommuRoot *root, ViommuTopology *topology)
{
    static const char *const names[VIOMMU_CPU_VENDOR_LAST] = {"GenuineIntel", "AuthenticAMD"};
    g_auto(GStrv) lines = viommu_root_lines(root, "proc/cpuinfo", CPUINFO_MAX);

    for (char **line = lines; line && *line && **line; line++) {
        const char *value = g_str_has_prefix(*line, "vendor_id") ? strchr(*line, ':') : NULL;

        if (g_str_has_prefix(*line, "address sizes"))
            read_address_bits(strchr(*line, ':'), topology);
        for (int vendor = 0; value && vendor < VIOMMU_CPU_VENDOR_LAST; vendor++)
            if (g_str_has_suffix(value, names[vendor]))
                topology->cpu_vendor = vendor;
    }
}

static void read_nested(const ViommuRoot *root, ViommuTopology *topology)
{
    static const char *const modules[] = {"kvm_intel", "kvm_amd"};

    for (size_t i = 0; i < G_N_ELEMENTS(modules); i++) {
        g_autofree char *text = viommu_root_text(root, "sys/module/%s/parameters/nested", modules[i]);

        if (text)
            topology->nested = g_str_equal(text, "Y") || g_str_equal(text, "1");
    }
}

static void read_kernel(const ViommuRoot *root, ViommuTopology *topology)
{
    g_autofree char *release = viommu_root_release(root);

    if (release)
        (void)viommu_version_parse(release, &topology->kernel);
    read_kernel_options(root, topology);
}

bool viommu_topology_read(const char *path, ViommuTopology *topology, GError **error)
{
    g_autoptr(ViommuRoot) root = viommu_root_open(path, error);

    if (!root)
        return false;
    viommu_fields_clear(&viommu_topology_fields, topology);
    topology->present = true;
    read_kernel(root, topology);
    read_cpu(root, topology);
    read_nested(root, topology);
    viommu_topology_read_tables(root, topology);
    viommu_topology_read_iommus(root, topology);
    viommu_topology_read_devices(root, topology);
    viommu_topology_read_uses(root, topology);
    viommu_topology_read_page_size(root, topology);
    viommu_topology_read_modules(root, topology);
    viommu_topology_read_nodes(root, topology);
    return true;
}

const ViommuHostIommu *viommu_topology_iommu(const ViommuTopology *topology, const char *name)
{
    for (guint i = 0; topology->iommus && i < topology->iommus->len; i++) {
        const ViommuHostIommu *iommu = g_ptr_array_index(topology->iommus, i);

        if (g_strcmp0(iommu->name, name) == 0)
            return iommu;
    }
    return NULL;
}

const ViommuPciDevice *viommu_topology_device(const ViommuTopology *topology, const char *address)
{
    for (guint i = 0; topology->devices && i < topology->devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(topology->devices, i);

        if (g_strcmp0(device->address, address) == 0)
            return device;
    }
    return NULL;
}
