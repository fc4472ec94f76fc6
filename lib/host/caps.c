/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* caps: reads the few elements of libvirt's two documents that viommud needs.  The rest is skipped:
 * it grows with each release. */
#include "lib/host/caps.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/quantity.h"
#include "lib/base/xml-read.h"

/* libvirt's name of each accelerator. */
static const struct {
    const char *domain_type;
    ViommuAccelerator accelerator;
} domain_types[] = {
    {"kvm", VIOMMU_ACCELERATOR_KVM},
    {"qemu", VIOMMU_ACCELERATOR_TCG},
};

static bool has_text(const xmlNode *node, const char *text)
{
    g_autofree char *content = viommu_xml_content(node);

    return g_strcmp0(content, text) == 0;
}

/* Leaves *ret as it is when the document has no number there. */
static void read_number(const xmlNode *node, const char *attribute, uint64_t *number)
{
    g_autofree char *value = viommu_xml_get(node, attribute);
    guint64 parsed;

    if (value && g_ascii_string_to_unsigned(value, 10, 1, UINT32_MAX, &parsed, NULL))
        *number = parsed;
}

/* <pages unit='KiB' size='4'/>, a row for each size that the host's kernel has. */
static void read_page_size(ViommuHost *host, const xmlNode *cpu)
{
    for (xmlNode *node = viommu_xml_child(cpu, "pages"); node; node = viommu_xml_next(node, "pages")) {
        uint64_t kib = 0;

        read_number(node, "size", &kib);
        if (kib >= 4 && kib * VIOMMU_KIB < host->page_bytes)
            host->page_bytes = kib * VIOMMU_KIB;
    }
}

static uint64_t read_accelerators(const xmlNode *arch)
{
    uint64_t set = 0;

    for (xmlNode *domain = viommu_xml_child(arch, "domain"); domain;
         domain = viommu_xml_next(domain, "domain")) {
        g_autofree char *type = viommu_xml_get(domain, "type");

        for (size_t i = 0; i < G_N_ELEMENTS(domain_types); i++)
            if (g_strcmp0(type, domain_types[i].domain_type) == 0)
                set |= VIOMMU_BIT(domain_types[i].accelerator);
    }
    return set;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Sorted, because libvirt's own order changes between two probes of QEMU.  NULL: libvirt lists
 * none, for example for an emulator that it has not asked; there may still be machines. */
static char **read_machines(const xmlNode *arch)
{
    GPtrArray *names = g_ptr_array_new();

    for (xmlNode *node = viommu_xml_child(arch, "machine"); node; node = viommu_xml_next(node, "machine"))
        g_ptr_array_add(names, viommu_xml_content(node));
    if (names->len == 0) {
        g_ptr_array_unref(names);
        return NULL;
    }
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(names, FALSE);
}

static int compare_limits(const void *a, const void *b)
{
    uint64_t one = (*(ViommuMachineLimit *const *)a)->max_vcpus,
             other = (*(ViommuMachineLimit *const *)b)->max_vcpus;

    return one < other ? -1 : one > other;
}

/* The machines of @arch with a limit of @vcpus, sorted; NULL: none. */
static char **machines_of_limit(const xmlNode *arch, uint64_t vcpus)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();

    for (xmlNode *node = viommu_xml_child(arch, "machine"); node; node = viommu_xml_next(node, "machine")) {
        uint64_t most = 0;

        read_number(node, "maxCpus", &most);
        if (most == vcpus)
            g_ptr_array_add(names, viommu_xml_content(node));
    }
    if (names->len == 0)
        return NULL;
    g_ptr_array_sort(names, compare_names);
    g_ptr_array_add(names, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&names), FALSE);
}

/* No table has the limits of distributions' machines, because their names have no QEMU version. */
static void read_limits(ViommuEmulator *emulator, const xmlNode *arch)
{
    for (xmlNode *node = viommu_xml_child(arch, "machine"); node; node = viommu_xml_next(node, "machine")) {
        g_autofree char *name = viommu_xml_content(node);
        uint64_t most = 0;
        ViommuMachineLimit *limit;

        read_number(node, "maxCpus", &most);
        if (!most || viommu_emulator_machine_vcpus(emulator, name) != VIOMMU_UNSET_NUMBER)
            continue;
        limit = viommu_emulator_add_limit(emulator);
        limit->max_vcpus = most;
        limit->machines = machines_of_limit(arch, most);
    }
    if (emulator->machine_limits)
        g_ptr_array_sort(emulator->machine_limits, compare_limits);
}

static void read_guest(ViommuHost *host, const xmlNode *guest)
{
    const xmlNode *node = viommu_xml_child(guest, "arch");
    g_autofree char *name = viommu_xml_get(node, "name");
    int arch = viommu_enum_from_string(&viommu_enum_arch, name);
    ViommuEmulator *emulator;

    /* Xen and containers have other os_types, or none of viommud's domain types. */
    if (arch == VIOMMU_UNSET || !has_text(viommu_xml_child(guest, "os_type"), "hvm") ||
        !read_accelerators(node) || viommu_host_emulator(host, (ViommuArch)arch))
        return;
    emulator = viommu_host_add_emulator(host);
    emulator->arch = arch;
    emulator->arch_name = g_steal_pointer(&name);
    emulator->path = viommu_xml_content(viommu_xml_child(node, "emulator"));
    emulator->accelerators = read_accelerators(node);
    emulator->machines = read_machines(node);
    read_limits(emulator, node);
    for (xmlNode *machine = viommu_xml_child(node, "machine"); machine;
         machine = viommu_xml_next(machine, "machine"))
        if (has_text(machine, viommu_arch_default_machine((ViommuArch)arch)))
            read_number(machine, "maxCpus", &emulator->max_vcpus);
}

/* The label of ordinary guests; libvirt has others for other kinds of guests. */
static char *read_label(const xmlNode *secmodel)
{
    for (xmlNode *node = viommu_xml_child(secmodel, "baselabel"); node;
         node = viommu_xml_next(node, "baselabel")) {
        g_autofree char *type = viommu_xml_get(node, "type");

        for (size_t i = 0; i < G_N_ELEMENTS(domain_types); i++)
            if (g_strcmp0(type, domain_types[i].domain_type) == 0)
                return viommu_xml_content(node);
    }
    return NULL;
}

static void read_secmodels(ViommuHost *host, const xmlNode *parent)
{
    for (xmlNode *node = viommu_xml_child(parent, "secmodel"); node;
         node = viommu_xml_next(node, "secmodel")) {
        g_autofree char *model = viommu_xml_content(viommu_xml_child(node, "model"));
        g_autofree char *label = read_label(node);

        if (model && *model)
            viommu_host_add_secmodel(host, model, label && *label ? label : NULL);
    }
    if (!host->secmodels)
        viommu_host_add_secmodel(host, "none", NULL);
}

bool viommu_caps_read(ViommuHost *host, const char *xml, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "capabilities", VIOMMU_ERROR_BACKEND, error);
    g_autofree char *support = NULL;
    const xmlNode *root, *cpu;

    if (!document)
        return false;
    root = xmlDocGetRootElement(document);
    cpu = viommu_xml_child(viommu_xml_child(root, "host"), "cpu");
    if (!viommu_xml_child(cpu, "arch"))
        return viommu_fail(error, VIOMMU_ERROR_BACKEND,
                           "libvirt's capabilities do not name the host's architecture");
    g_free(host->arch_name);
    host->arch_name = viommu_xml_content(viommu_xml_child(cpu, "arch"));
    read_page_size(host, cpu);
    support = viommu_xml_get(viommu_xml_child(viommu_xml_child(root, "host"), "iommu"), "support");
    if (support)
        host->has_iommu = g_str_equal(support, "yes");
    read_secmodels(host, viommu_xml_child(root, "host"));
    for (xmlNode *guest = viommu_xml_child(root, "guest"); guest; guest = viommu_xml_next(guest, "guest"))
        read_guest(host, guest);
    return true;
}

static uint64_t read_firmware(const xmlNode *os)
{
    uint64_t set = 0;

    for (xmlNode *node = viommu_xml_child(os, "enum"); node; node = viommu_xml_next(node, "enum")) {
        g_autofree char *name = viommu_xml_get(node, "name");

        if (g_strcmp0(name, "firmware") != 0)
            continue;
        for (xmlNode *value = viommu_xml_child(node, "value"); value; value = viommu_xml_next(value, "value"))
            if (has_text(value, "efi"))
                set |= VIOMMU_BIT(VIOMMU_FIRMWARE_EFI);
    }
    return set;
}

/* The <enum> @name of @parent; NULL: it has none. */
static const xmlNode *find_enum(const xmlNode *parent, const char *name)
{
    for (xmlNode *node = viommu_xml_child(parent, "enum"); node; node = viommu_xml_next(node, "enum")) {
        g_autofree char *found = viommu_xml_get(node, "name");

        if (g_strcmp0(found, name) == 0)
            return node;
    }
    return NULL;
}

/* Whether the <enum> @name of @parent lists @value; unset: it has no such enum. */
static int enum_lists(const xmlNode *parent, const char *name, const char *value)
{
    const xmlNode *list = find_enum(parent, name);

    if (!list)
        return VIOMMU_UNSET;
    for (xmlNode *node = viommu_xml_child(list, "value"); node; node = viommu_xml_next(node, "value"))
        if (has_text(node, value))
            return 1;
    return 0;
}

/* <enum name='version'><value>2</value>...: NULL: none is listed. */
static char **read_values(const xmlNode *list)
{
    GPtrArray *values = g_ptr_array_new();

    for (xmlNode *node = viommu_xml_child(list, "value"); node; node = viommu_xml_next(node, "value"))
        g_ptr_array_add(values, viommu_xml_content(node));
    if (values->len > 0)
        g_ptr_array_add(values, NULL);
    return (char **)g_ptr_array_free(values, FALSE);
}

/* libvirt 12.1 and newer list iommufd; 10.6 and newer list networks. */
static void read_devices(ViommuEmulator *emulator, const xmlNode *root)
{
    const xmlNode *devices = viommu_xml_child(root, "devices");
    const xmlNode *hostdev = viommu_xml_child(devices, "hostdev");
    const xmlNode *network = viommu_xml_child(devices, "interface");
    const xmlNode *gic = viommu_xml_child(viommu_xml_child(root, "features"), "gic");

    emulator->vfio = enum_lists(hostdev, "pciBackend", "vfio");
    emulator->iommufd = enum_lists(hostdev, "iommufd", "yes");
    emulator->user_network = enum_lists(network, "backendType", "default");
    emulator->passt = enum_lists(network, "backendType", "passt");
    g_strfreev(emulator->gic_versions);
    emulator->gic_versions = read_values(find_enum(gic, "version"));
}

/* libvirt 10.5 and newer list the kinds in <launchSecurity>; older ones have <sev> alone. */
static void read_launch_security(ViommuEmulator *emulator, const xmlNode *features)
{
    const xmlNode *list = viommu_xml_child(features, "launchSecurity"),
                  *sev = viommu_xml_child(features, "sev");
    g_autofree char *supported = viommu_xml_get(list, "supported"),
                    *by_sev = viommu_xml_get(sev, "supported");
    bool listed = g_strcmp0(supported, "yes") == 0;

    for (int kind = 0; kind < VIOMMU_LAUNCH_SECURITY_LAST; kind++)
        emulator->launch_security[kind] =
            !list    ? VIOMMU_UNSET
            : listed ? enum_lists(list, "sectype", viommu_enum_to_string(&viommu_enum_launch_security, kind))
                     : 0;
    if (!list && sev)
        emulator->launch_security[VIOMMU_LAUNCH_SECURITY_SEV] = g_strcmp0(by_sev, "yes") == 0;
}

bool viommu_caps_read_domain(ViommuEmulator *emulator, const char *xml, char **ret_machine, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "domainCapabilities", VIOMMU_ERROR_BACKEND, error);
    g_autofree char *arch = NULL;
    const xmlNode *root;

    if (!document)
        return false;
    root = xmlDocGetRootElement(document);
    arch = viommu_xml_content(viommu_xml_child(root, "arch"));
    if (g_strcmp0(arch, emulator->arch_name) != 0)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND,
                           "libvirt returned domain capabilities for architecture '%s' instead of '%s'",
                           arch ? arch : "", emulator->arch_name ? emulator->arch_name : "");
    /* SeaBIOS comes with QEMU, and on aarch64 no firmware needs no file; libvirt only reports
     * descriptor files. */
    emulator->firmware = VIOMMU_BIT(VIOMMU_FIRMWARE_BIOS) | read_firmware(viommu_xml_child(root, "os"));
    read_number(viommu_xml_child(root, "vcpu"), "max", &emulator->max_vcpus);
    read_devices(emulator, root);
    read_launch_security(emulator, viommu_xml_child(root, "features"));
    *ret_machine = viommu_xml_content(viommu_xml_child(root, "machine"));
    return true;
}

ViommuVersion viommu_caps_machine_version(const char *machine)
{
    const char *release = viommu_machine_release(machine);
    ViommuVersion version = 0;

    /* Distributions put words there ("pc-q35-rhel9.4.0", "virt-noble"), or after a number. */
    if (release && strspn(release, "0123456789.") == strlen(release))
        viommu_version_parse(release, &version);
    return version;
}
