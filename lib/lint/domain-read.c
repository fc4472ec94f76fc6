/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/lint/domain-read.h"

#include <string.h>

#include "lib/base/quantity.h"
#include "lib/facts/guest-os.h"
#include "lib/lint/lint.h"
#include "lib/lint/xml-places.h"
#include "lib/request/request.h"

/* More than QEMU has PCI addresses for on the buses that libvirt makes. */
#define DEVICES_MAX 1024u
#define WORD_MAX    64u

static void part_free(void *data)
{
    ViommuDomainPart *part = data;

    g_variant_unref(part->value);
    g_free(part);
}

void viommu_domain_read_free(ViommuDomainRead *read)
{
    if (!read)
        return;
    g_clear_pointer(&read->parts, g_ptr_array_unref);
    g_clear_pointer(&read->devices, g_ptr_array_unref);
    g_clear_pointer(&read->places, g_array_unref);
    g_clear_pointer(&read->document, xmlFreeDoc);
    g_free(read->odd_model);
    g_free(read);
}

/* Takes a floating @value. */
static void add_part(ViommuDomainRead *read, const char *key, GVariant *value, const xmlNode *node,
                     const char *attribute)
{
    ViommuDomainPart *part = g_new0(ViommuDomainPart, 1);

    *part = (ViommuDomainPart){
        .key = key, .value = g_variant_ref_sink(value), .node = node, .attribute = attribute};
    g_ptr_array_add(read->parts, part);
}

static void add_text(ViommuDomainRead *read, const char *key, const char *text, const xmlNode *node,
                     const char *attribute)
{
    if (text)
        add_part(read, key, g_variant_new_string(text), node, attribute);
}

/* Messages quote these words: the beginning of a longer one is enough, and as wrong.  Owned. */
static char *shorten(char *word)
{
    char *end = word && strlen(word) > WORD_MAX ? g_utf8_find_prev_char(word, word + WORD_MAX) : NULL;

    if (end)
        *end = '\0';
    return word;
}

static bool has_word(const xmlNode *node, const char *attribute, const char *word)
{
    g_autofree char *value = viommu_xml_get(node, attribute);

    return g_strcmp0(value, word) == 0;
}

static bool has_prefix(const xmlNode *node, const char *attribute, const char *prefix)
{
    g_autofree char *value = viommu_xml_get(node, attribute);

    return value && g_str_has_prefix(value, prefix);
}

/* --- Numbers --- */

/* libvirt's units, some of which are decimal and differ from those of requests by a letter. */
static const struct {
    const char *name;
    uint64_t bytes;
} units[] = {
    {"b", 1},
    {"bytes", 1},
    {"k", VIOMMU_KIB},
    {"KiB", VIOMMU_KIB},
    {"KB", 1000},
    {"M", VIOMMU_MIB},
    {"MiB", VIOMMU_MIB},
    {"MB", 1000000},
    {"G", VIOMMU_GIB},
    {"GiB", VIOMMU_GIB},
    {"GB", 1000000000},
    {"T", VIOMMU_GIB * 1024},
    {"TiB", VIOMMU_GIB * 1024},
    {"TB", 1000000000000},
};

/* VIOMMU_UNSET_NUMBER: it is no size. */
static uint64_t to_bytes(const char *number, const char *unit)
{
    g_autofree char *trimmed = number ? g_strstrip(g_strdup(number)) : NULL;
    uint64_t bytes = VIOMMU_UNSET_NUMBER;
    guint64 value;

    if (!trimmed || !g_ascii_string_to_unsigned(trimmed, 10, 0, G_MAXINT64, &value, NULL))
        return VIOMMU_UNSET_NUMBER;
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++)
        if (g_ascii_strcasecmp(units[i].name, unit ? unit : "KiB") == 0)
            viommu_quantity_mul_add(value, units[i].bytes, 0, &bytes);
    return bytes > G_MAXINT64 ? VIOMMU_UNSET_NUMBER : bytes;
}

static uint64_t read_bytes(const xmlNode *node)
{
    g_autofree char *number = viommu_xml_content(node), *unit = viommu_xml_get(node, "unit");

    return to_bytes(number, unit);
}

static void add_bytes(ViommuDomainRead *read, const char *key, uint64_t bytes, const xmlNode *node)
{
    if (bytes != VIOMMU_UNSET_NUMBER)
        add_part(read, key, g_variant_new_uint64(bytes), node, NULL);
}

/* --- The machine --- */

/* Requests give more in whole blocks, and domains what they like; libvirt rounds it up. */
static void read_most_memory(ViommuDomainRead *read, uint64_t memory_bytes)
{
    const xmlNode *most = viommu_xml_child(read->root, "maxMemory");
    uint64_t bytes = most ? read_bytes(most) : VIOMMU_UNSET_NUMBER;

    if (bytes != VIOMMU_UNSET_NUMBER && bytes > memory_bytes &&
        (bytes - memory_bytes) % (2 * VIOMMU_MIB) == 0)
        add_bytes(read, "memory-max", bytes, most);
}

/* A cell of NUMA may say otherwise than the domain. */
static bool shares_memory(const ViommuDomainRead *read)
{
    const xmlNode *backing = viommu_xml_child(read->root, "memoryBacking");
    const xmlNode *numa = viommu_xml_child(viommu_xml_child(read->root, "cpu"), "numa");
    bool shared = has_word(viommu_xml_child(backing, "access"), "mode", "shared");

    for (const xmlNode *cell = viommu_xml_child(numa, "cell"); cell; cell = viommu_xml_next(cell, "cell"))
        shared = (shared || has_word(cell, "memAccess", "shared")) && !has_word(cell, "memAccess", "private");
    return shared;
}

static void read_memory(ViommuDomainRead *read, const ViommuHost *host)
{
    const xmlNode *memory = viommu_xml_child(read->root, "memory"),
                  *vcpu = viommu_xml_child(read->root, "vcpu");
    const xmlNode *backing = viommu_xml_child(read->root, "memoryBacking");
    const xmlNode *page = viommu_xml_child(viommu_xml_child(backing, "hugepages"), "page");
    const xmlNode *locked = viommu_xml_child(backing, "locked");
    g_autofree char *vcpus = viommu_xml_content(vcpu), *size = viommu_xml_get(page, "size");
    g_autofree char *unit = viommu_xml_get(page, "unit");
    uint64_t page_bytes = size ? to_bytes(size, unit) : VIOMMU_UNSET_NUMBER;
    guint64 number;

    add_bytes(read, "memory", read_bytes(memory), memory);
    read_most_memory(read, read_bytes(memory));
    if (vcpus && g_ascii_string_to_unsigned(g_strstrip(vcpus), 10, 1, UINT32_MAX, &number, NULL))
        add_part(read, "vcpus", g_variant_new_uint64(number), vcpu, NULL);
    /* Without huge pages, requests name the ordinary page to lock. */
    if (locked && page_bytes == VIOMMU_UNSET_NUMBER)
        page_bytes = viommu_host_likely_page_bytes(host);
    add_bytes(read, "memory-backing.page-size", page_bytes, page ? page : locked);
    if (locked)
        add_part(read, "memory-backing.locked", g_variant_new_boolean(true), locked, NULL);
    read->shares_memory = shares_memory(read);
    read->hard_limit = viommu_xml_child(viommu_xml_child(read->root, "memtune"), "hard_limit");
    read->hard_limit_bytes = read->hard_limit ? read_bytes(read->hard_limit) : VIOMMU_UNSET_NUMBER;
}

static bool secure_boot(const xmlNode *os)
{
    const xmlNode *firmware = viommu_xml_child(os, "firmware");

    for (const xmlNode *feature = viommu_xml_child(firmware, "feature"); feature;
         feature = viommu_xml_next(feature, "feature"))
        if (has_word(feature, "name", "secure-boot") && has_word(feature, "enabled", "yes"))
            return true;
    return has_word(viommu_xml_child(os, "loader"), "secure", "yes");
}

static void read_boot(ViommuDomainRead *read)
{
    const xmlNode *kernel = viommu_xml_child(read->os, "kernel"),
                  *words = viommu_xml_child(read->os, "cmdline");
    const xmlNode *loader = viommu_xml_child(read->os, "loader");
    g_autofree char *path = viommu_xml_content(kernel), *cmdline = viommu_xml_content(words);
    bool efi = has_word(read->os, "firmware", "efi") || has_word(loader, "type", "pflash");

    read->has_own_firmware = has_word(loader, "type", "pflash");
    add_text(read, "boot.firmware", efi ? "efi" : "bios", read->os, NULL);
    if (efi && secure_boot(read->os))
        add_part(read, "boot.secure-boot", g_variant_new_boolean(true), read->os, NULL);
    /* The path itself decides nothing. */
    if (path && *path)
        add_text(read, "boot.kernel", "/kernel", kernel, NULL);
    if (path && *path)
        add_text(read, "boot.cmdline", cmdline, words, NULL);
}

/* "http://debian.org/debian/12", as virt-install writes it, as "debian12", where that is known. */
static void read_os_name(ViommuDomainRead *read)
{
    const xmlNode *metadata = viommu_xml_child(read->root, "metadata");
    const xmlNode *os = viommu_xml_child(viommu_xml_child(metadata, "libosinfo"), "os");
    g_autofree char *id = viommu_xml_get(os, "id");
    g_auto(GStrv) steps = id ? g_strsplit(id, "/", -1) : NULL;
    guint n = steps ? g_strv_length(steps) : 0;
    g_autofree char *name = n >= 2 ? g_strconcat(steps[n - 2], steps[n - 1], NULL) : NULL;
    const ViommuGuestOs *row = name ? viommu_guest_os_find(name) : NULL;

    if (row)
        add_text(read, "guest.os", row->name, os, "id");
}

/* x86_64 has i440fx and aarch64 has virt, where a domain says nothing: libvirt 9.0
 * src/qemu/qemu_capabilities.c (preferredMachines). */
static void read_machine(ViommuDomainRead *read)
{
    const xmlNode *type = viommu_xml_child(read->os, "type");
    g_autofree char *arch = shorten(viommu_xml_get(type, "arch"));
    g_autofree char *machine = shorten(viommu_xml_get(type, "machine"));
    g_autofree char *accelerator = viommu_xml_get(read->root, "type");
    bool x86 = !arch || g_str_equal(arch, "x86_64");

    add_text(read, "arch", arch, type, "arch");
    add_text(read, "machine", machine ? machine : x86 ? "pc" : "virt", type, machine ? "machine" : NULL);
    add_text(read, "accelerator", g_str_equal(accelerator, "kvm") ? "kvm" : "tcg", read->root, "type");
}

/* Whether any device is to be behind the IOMMU is a key, too; but not of one that translates
 * nothing. */
static void read_translation(ViommuDomainRead *read)
{
    if (!read->iommu || has_word(read->iommu_driver, "dma_translation", "off"))
        return;
    for (guint i = 0; i < read->devices->len; i++) {
        const ViommuDomainDevice *device = g_ptr_array_index(read->devices, i);

        if (!device->behind)
            continue;
        add_part(read, "iommu.translate", g_variant_new_boolean(true), device->driver, "iommu");
        return;
    }
}

/* Other kinds are not for machines that viommud judges. */
static void read_launch_security(ViommuDomainRead *read)
{
    const xmlNode *element = viommu_xml_child(read->root, "launchSecurity");
    g_autofree char *type = viommu_xml_get(element, "type");

    if (viommu_enum_from_string(&viommu_enum_launch_security, type) != VIOMMU_UNSET)
        add_text(read, "launch-security.type", type, element, "type");
}

static void read_features(ViommuDomainRead *read)
{
    const xmlNode *ioapic = viommu_xml_child(read->features, "ioapic");

    read->has_acpi = viommu_xml_child(read->features, "acpi");
    read->has_split_ioapic = has_word(ioapic, "driver", "qemu");
}

/* --- The IOMMU --- */

/* The attributes of <driver>, and the keys of requests that mean the same. */
static const struct {
    const char *attribute, *key;
} switches[] = {
    {"intremap", "iommu.intremap"}, {"caching_mode", "iommu.caching-mode"},       {"eim", "iommu.eim"},
    {"iotlb", "iommu.iotlb"},       {"dma_translation", "iommu.dma-translation"},
};

static void read_granule(ViommuDomainRead *read)
{
    const xmlNode *granule = viommu_xml_child(read->iommu_driver, "granule");
    g_autofree char *size = viommu_xml_get(granule, "size"), *unit = viommu_xml_get(granule, "unit");
    uint64_t bytes = size ? to_bytes(size, unit) : VIOMMU_UNSET_NUMBER;
    g_autofree char *text = bytes == VIOMMU_UNSET_NUMBER ? NULL : viommu_quantity_format(bytes);

    add_text(read, "iommu.granule", has_word(granule, "mode", "host") ? "host" : text, granule, NULL);
}

/* Those before devices of the host are as many as the host's; a plan counts them itself. */
static void read_count(ViommuDomainRead *read, const char *model)
{
    if (g_strcmp0(model, "smmuv3") == 0 && read->n_iommus > 1 && !read->has_accelerated)
        add_part(read, "iommu.count", g_variant_new_uint64(MIN(read->n_iommus, VIOMMU_IOMMUS_MAX)),
                 viommu_xml_next(read->iommu, "iommu"), NULL);
}

static void read_iommu(ViommuDomainRead *read)
{
    g_autofree char *model = viommu_xml_get(read->iommu, "model"), *bits = NULL;
    const xmlNode *driver = read->iommu_driver;
    guint64 number;

    for (const xmlNode *node = read->iommu; node; node = viommu_xml_next(node, "iommu"), read->n_iommus++)
        read->has_accelerated |= has_word(viommu_xml_child(node, "driver"), "accel", "on");
    if (!read->iommu) {
        add_part(read, "iommu.is-supported", g_variant_new_boolean(false), read->devices_node, NULL);
        return;
    }
    read_count(read, model);
    if (model && viommu_enum_from_string(&viommu_enum_model, model) != VIOMMU_UNSET)
        add_text(read, "iommu.model", model, read->iommu, "model");
    else
        read->odd_model = model ? shorten(g_steal_pointer(&model)) : g_strdup("");
    if (read->odd_model)
        add_part(read, "iommu.is-supported", g_variant_new_boolean(true), read->iommu, "model");
    for (size_t i = 0; i < G_N_ELEMENTS(switches); i++) {
        g_autofree char *word = viommu_xml_get(driver, switches[i].attribute);

        if (word)
            add_part(read, switches[i].key, g_variant_new_boolean(g_str_equal(word, "on")), driver,
                     switches[i].attribute);
    }
    bits = viommu_xml_get(driver, "aw_bits");
    if (bits && g_ascii_string_to_unsigned(bits, 10, 0, UINT32_MAX, &number, NULL))
        add_part(read, "iommu.aw-bits", g_variant_new_uint64(number), driver, "aw_bits");
    read_granule(read);
}

/* --- Devices --- */

/* What makes an element a virtio device: an attribute of it, or of a child. */
static const struct {
    const char *element, *type; /* @type: of a controller */
    const char *child, *attribute, *prefix;
    const char *noun;
} kinds[] = {
    {"disk", NULL, "target", "bus", "virtio", "disk"},
    {"interface", NULL, "model", "type", "virtio", "network"},
    {"controller", "scsi", NULL, "model", "virtio", "SCSI controller"},
    {"controller", "virtio-serial", NULL, NULL, NULL, "controller of channels and consoles"},
    {"rng", NULL, NULL, "model", "virtio", "entropy device"},
    {"memballoon", NULL, NULL, "model", "virtio", "memory balloon"},
    {"video", NULL, "model", "type", "virtio", "graphics adapter"},
    {"input", NULL, NULL, "bus", "virtio", "input device"},
    {"vsock", NULL, NULL, "model", "virtio", "vsock device"},
    {"filesystem", NULL, NULL, NULL, NULL, "shared directory"},
};

/* Back ends that work beside QEMU. */
static const struct {
    const char *element, *child, *attribute, *word, *why;
    bool may_translate, needs_maps, maps_memory;
} outsiders[] = {
    {"filesystem", "driver", "type", "virtiofs", "QEMU cannot have virtiofs behind it", false, false, true},
    {"interface", NULL, "type", "vhostuser", "the other program of vhost-user decides", true, false, true},
    {"interface", NULL, "type", "vdpa", "the hardware of vDPA decides", true, true, false},
    {"disk", NULL, "type", "vhostuser", "the other program of vhost-user decides", true, false, true},
    {"disk", NULL, "type", "vhostvdpa", "the hardware of vDPA decides", true, true, false},
    {"video", "driver", "name", "vhostuser", "the other program of vhost-user decides", true, false, true},
};

static const xmlNode *part_of(const xmlNode *node, const char *child)
{
    return child ? viommu_xml_child(node, child) : node;
}

/* The noun of a virtio device; NULL: it is none.  Static. */
static const char *virtio_noun(const xmlNode *node)
{
    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++)
        if (g_str_equal(node->name, kinds[i].element) &&
            (!kinds[i].type || has_word(node, "type", kinds[i].type)) &&
            (!kinds[i].attribute ||
             has_prefix(part_of(node, kinds[i].child), kinds[i].attribute, kinds[i].prefix)))
            return kinds[i].noun;
    return NULL;
}

static void read_outsider(ViommuDomainDevice *device)
{
    const xmlNode *node = device->node;

    for (size_t i = 0; i < G_N_ELEMENTS(outsiders) && !device->outside; i++) {
        if (!g_str_equal(node->name, outsiders[i].element) ||
            !has_word(part_of(node, outsiders[i].child), outsiders[i].attribute, outsiders[i].word))
            continue;
        device->outside = outsiders[i].why;
        device->may_translate = outsiders[i].may_translate;
        device->needs_maps = outsiders[i].needs_maps;
        device->maps_memory = outsiders[i].maps_memory;
    }
}

/* libvirt chooses a bus for a device without an address. */
static bool is_on_bus_0(const xmlNode *node)
{
    const xmlNode *address = viommu_xml_child(node, "address");
    g_autofree char *bus = viommu_xml_get(address, "bus");

    return has_word(address, "type", "pci") && bus && g_ascii_strtoull(bus, NULL, 0) == 0;
}

static bool is_legacy(const xmlNode *node)
{
    static const char word[] = "virtio-transitional";
    const xmlNode *model = viommu_xml_child(node, "model");

    return has_word(node, "model", word) || has_word(model, "type", word);
}

/* Plans decide who serves a network, for all that are alike: those of type user are QEMU's own, or
 * passt's. */
static int add_network(ViommuDomainRead *read, const xmlNode *node)
{
    static const char any[] = "{'type': <'bridge'>, 'source': <'any'>, 'model': <'virtio'>}";

    if (has_word(node, "type", "user"))
        return VIOMMU_UNSET;
    if (!read->has_networks)
        add_part(read, "networks", g_variant_new_parsed(any), node, NULL);
    read->has_networks = true;
    return 0;
}

static void add_device(ViommuDomainRead *read, const xmlNode *node, const char *noun)
{
    ViommuDomainDevice *device = g_new0(ViommuDomainDevice, 1);

    *device = (ViommuDomainDevice){
        .node = node,
        .driver = viommu_xml_child(node, "driver"),
        .noun = noun,
        .legacy = is_legacy(node),
        .kept_on_bus_0 = is_on_bus_0(node),
        .network = VIOMMU_UNSET,
        .is_vsock = g_str_equal(node->name, "vsock"),
    };
    read_outsider(device);
    device->behind = has_word(device->driver, "iommu", "on");
    device->without_vhost = has_word(device->driver, "name", "qemu");
    device->ats = has_word(device->driver, "ats", "on");
    if (g_str_equal(node->name, "interface") && !device->outside)
        device->network = add_network(read, node);
    if (device->is_vsock)
        add_part(read, "guest.vsock", g_variant_new_boolean(true), node, NULL);
    g_ptr_array_add(read->devices, device);
}

/* "0x65" or "101"; out of range when it is no number. */
static uint64_t address_number(const xmlNode *address, const char *attribute)
{
    g_autofree char *text = viommu_xml_get(address, attribute);
    bool hexadecimal = text && g_str_has_prefix(text, "0x");
    guint64 number;

    if (!text)
        return 0;
    return g_ascii_string_to_unsigned(text + (hexadecimal ? 2 : 0), hexadecimal ? 16 : 10, 0, UINT32_MAX,
                                      &number, NULL)
               ? number
               : UINT64_MAX;
}

/* The address in the host.  Owned; NULL: it has none that is valid. */
static char *host_address(const xmlNode *node)
{
    const xmlNode *address = viommu_xml_child(viommu_xml_child(node, "source"), "address");
    uint64_t domain = address_number(address, "domain"), bus = address_number(address, "bus");
    uint64_t slot = address_number(address, "slot"), function = address_number(address, "function");

    if (!address || domain > UINT32_MAX || bus > 0xff || slot > 0x1f || function > 7)
        return NULL;
    return g_strdup_printf("%04x:%02x:%02x.%x", (unsigned)domain, (unsigned)bus, (unsigned)slot,
                           (unsigned)function);
}

static void add_hostdev(ViommuDomainRead *read, const xmlNode *node)
{
    const xmlNode *driver = viommu_xml_child(node, "driver");
    g_autofree char *address = host_address(node), *model = shorten(viommu_xml_get(driver, "model"));
    GVariantDict dict;

    if (!address || read->n_hostdevs++ >= VIOMMU_HOSTDEVS_MAX)
        return;
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "address", "s", address);
    g_variant_dict_insert(&dict, "iommufd", "s", has_word(driver, "iommufd", "yes") ? "yes" : "no");
    if (model)
        g_variant_dict_insert(&dict, "driver", "s", model);
    add_part(read, "hostdevs", g_variant_dict_end(&dict), node, NULL);
}

static bool is_pci_of_host(const xmlNode *node)
{
    return (g_str_equal(node->name, "hostdev") && has_word(node, "type", "pci")) ||
           (g_str_equal(node->name, "interface") && has_word(node, "type", "hostdev"));
}

static bool read_devices(ViommuDomainRead *read, GError **error)
{
    for (const xmlNode *node = viommu_xml_child(read->devices_node, NULL); node;
         node = viommu_xml_next(node, NULL)) {
        const char *noun = virtio_noun(node);

        read->has_balloon |= g_str_equal(node->name, "memballoon");
        if (is_pci_of_host(node))
            add_hostdev(read, node);
        else if (noun)
            add_device(read, node, noun);
        if (read->devices->len > DEVICES_MAX)
            return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                               "the domain has more than %u virtio devices, which no machine has room for",
                               DEVICES_MAX);
    }
    return true;
}

/* --- The whole --- */

static bool check_kind(const ViommuDomainRead *read, GError **error)
{
    g_autofree char *type = viommu_xml_get(read->root, "type");
    g_autofree char *os = viommu_xml_content(viommu_xml_child(read->os, "type"));

    if (type && (g_str_equal(type, "kvm") || g_str_equal(type, "qemu")) && os &&
        g_str_equal(g_strstrip(os), "hvm"))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "the domain is of type '%.32s' and its system of type '%.32s'; only domains of QEMU can be judged: type 'kvm' or 'qemu', with <os><type>hvm</type>",
        type ? type : "", os ? os : "");
}

ViommuDomainRead *viommu_domain_read(const char *xml, const ViommuHost *host, GError **error)
{
    g_autoptr(ViommuDomainRead) read = g_new0(ViommuDomainRead, 1);

    if (strlen(xml) > VIOMMU_LINT_BYTES_MAX) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "the XML has more than %u bytes, which no domain needs", VIOMMU_LINT_BYTES_MAX);
        return NULL;
    }
    read->document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_INVALID_REQUEST, error);
    if (!read->document)
        return NULL;
    read->places = viommu_xml_places(xml);
    if (viommu_xml_number(read->document) != (read->places ? read->places->len : 0)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "the places of the XML's elements cannot be found");
        return NULL;
    }
    read->parts = g_ptr_array_new_with_free_func(part_free);
    read->devices = g_ptr_array_new_with_free_func(g_free);
    read->root = xmlDocGetRootElement(read->document);
    read->os = viommu_xml_child(read->root, "os");
    read->features = viommu_xml_child(read->root, "features");
    read->devices_node = viommu_xml_child(read->root, "devices");
    read->iommu = viommu_xml_child(read->devices_node, "iommu");
    read->iommu_driver = viommu_xml_child(read->iommu, "driver");
    if (!check_kind(read, error))
        return NULL;
    read_iommu(read);
    if (!read_devices(read, error))
        return NULL;
    read_translation(read);
    read_boot(read);
    read_os_name(read);
    read_memory(read, host);
    read_machine(read);
    read_features(read);
    read_launch_security(read);
    viommu_domain_sort_parts(read);
    return g_steal_pointer(&read);
}

void viommu_domain_read_set_os(ViommuDomainRead *read, const char *os)
{
    for (guint i = 0; i < read->parts->len; i++)
        if (g_str_equal(((const ViommuDomainPart *)g_ptr_array_index(read->parts, i))->key, "guest.os")) {
            g_ptr_array_remove_index(read->parts, i);
            break;
        }
    add_text(read, "guest.os", os, read->root, NULL);
}

char *viommu_lint_kernel(const char *xml)
{
    g_autoptr(xmlDoc) document = strlen(xml) <= VIOMMU_LINT_BYTES_MAX
                                     ? viommu_xml_parse(xml, "domain", VIOMMU_ERROR_INVALID_REQUEST, NULL)
                                     : NULL;
    const xmlNode *root = document ? xmlDocGetRootElement(document) : NULL;

    return viommu_xml_content(viommu_xml_child(viommu_xml_child(root, "os"), "kernel"));
}
