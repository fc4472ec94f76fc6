/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plug: requests and rooms for one more device. */
#include "lib/domain/plug.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/base/xml-read.h"
#include "lib/plan/iommu-rules.h"
#include "lib/request/translate.h"

/* --- What is asked --- */

/* By ViommuAttachedKind: the list of a request. */
static const char *const lists[] = {"disks", "networks", "hostdevs"};
G_STATIC_ASSERT(G_N_ELEMENTS(lists) == VIOMMU_ATTACHED_LAST);

static int find_list(const char *key)
{
    for (int i = 0; i < VIOMMU_ATTACHED_LAST; i++)
        if (g_str_equal(key, lists[i]))
            return i;
    return VIOMMU_UNSET;
}

bool viommu_plug_check_tree(GVariant *tree, ViommuAttachedKind *ret_kind, GError **error)
{
    gsize n = g_variant_n_children(tree);
    g_autoptr(GVariant) entry = n == 1 ? g_variant_get_child_value(tree, 0) : NULL;
    g_autoptr(GVariant) value = NULL;
    const char *key = NULL;
    int list;

    if (!entry)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "one device can be attached at a time: give 'disks', 'networks' or 'hostdevs' with one entry, and no other key");
    g_variant_get(entry, "{&sv}", &key, &value);
    list = find_list(key);
    if (list == VIOMMU_UNSET)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "'%.64s' cannot be attached to a machine that runs; give 'disks', 'networks' or 'hostdevs'", key);
    if (!g_variant_is_of_type(value, G_VARIANT_TYPE_ARRAY) || g_variant_n_children(value) != 1)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "one device can be attached at a time: give '%s' with one entry", key);
    *ret_kind = (ViommuAttachedKind)list;
    return true;
}

/* What decides how a device is judged.  The guest's own software is left out: it does not judge
 * devices, and the machine has its IOMMU already. */
static const char *const kept[] = {"arch",           "machine",      "cpu",    "launch-security",
                                   "memory",         "memory-max",   "verify", "memory-hotplug",
                                   "memory-backing", "hotplug-ports"};

static const char *const selection[] = {"is-supported", "model", "model-name", "required"};

/* Copies the keys that @from has. */
static void copy_keys(GVariantDict *to, GVariant *from, const char *const *keys, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_autoptr(GVariant) value = g_variant_lookup_value(from, keys[i], NULL);

        if (value)
            g_variant_dict_insert_value(to, keys[i], value);
    }
}

/* The request may have left it to the kernel that the machine boots, or to its devices, which are
 * not kept. */
static void keep_firmware(GVariantDict *request, GVariant *old, const ViommuMetadata *metadata)
{
    static const char *const deciding[] = {"boot", "launch-security", "hostdevs", "iommu"};
    g_autoptr(GVariant) part = NULL;
    g_autoptr(ViommuRequest) booted = NULL;
    GVariantDict dict;
    bool efi;

    g_variant_dict_init(&dict, NULL);
    copy_keys(&dict, old, deciding, G_N_ELEMENTS(deciding));
    part = g_variant_ref_sink(g_variant_dict_end(&dict));
    booted = viommu_request_parse(part, NULL);
    if (!booted)
        return;
    efi = viommu_iommu_takes_efi(booted, metadata->arch, metadata->model);
    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(
        &dict, "firmware", "s",
        viommu_enum_to_string(&viommu_enum_firmware, efi ? VIOMMU_FIRMWARE_EFI : VIOMMU_FIRMWARE_BIOS));
    g_variant_dict_insert_value(request, "boot", g_variant_dict_end(&dict));
}

static void keep_iommu(GVariantDict *request, GVariant *old, ViommuModel model)
{
    g_autoptr(GVariant) iommu = g_variant_lookup_value(old, "iommu", G_VARIANT_TYPE_VARDICT);
    GVariantDict dict;

    if (model == VIOMMU_MODEL_NONE)
        return;
    g_variant_dict_init(&dict, iommu);
    for (size_t i = 0; i < G_N_ELEMENTS(selection); i++)
        g_variant_dict_remove(&dict, selection[i]);
    g_variant_dict_insert(&dict, "model", "s", viommu_model_to_string(model));
    g_variant_dict_insert_value(request, "iommu", g_variant_dict_end(&dict));
}

GVariant *viommu_plug_request(const ViommuMetadata *metadata, GVariant *tree, GError **error)
{
    g_autoptr(GError) cause = NULL;
    g_autoptr(GVariant) old =
        metadata->request ? g_variant_parse(G_VARIANT_TYPE_VARDICT, metadata->request, NULL, NULL, &cause)
                          : NULL;
    GVariantDict dict;

    if (!old) {
        viommu_fail(error, VIOMMU_ERROR_INTERNAL, "the request in the machine's metadata cannot be read: %s",
                    cause ? cause->message : "it has none");
        return NULL;
    }
    g_variant_dict_init(&dict, tree);
    copy_keys(&dict, old, kept, G_N_ELEMENTS(kept));
    keep_firmware(&dict, old, metadata);
    keep_iommu(&dict, old, metadata->model);
    g_variant_dict_insert(&dict, "vcpus", "t", metadata->vcpus);
    /* The metadata has the most that the machine can get. */
    if (!g_variant_dict_contains(&dict, "memory-max"))
        g_variant_dict_insert(&dict, "memory", "t", metadata->memory_bytes);
    g_variant_dict_insert(&dict, "accelerator", "s",
                          viommu_enum_to_string(&viommu_enum_accelerator, (int)metadata->accelerator));
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

static bool refuse_key(const char *list, const char *key, const char *instead, GError **error)
{
    return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                       "%s[0].%s is only possible when a machine is launched; %s", list, key, instead);
}

static bool check_disk(const ViommuRequestDisk *disk, GError **error)
{
    const char *key = disk->overlay == 1                        ? "overlay"
                      : disk->digest                            ? "digest"
                      : disk->boot_order != VIOMMU_UNSET_NUMBER ? "boot-order"
                                                                : NULL;

    if (key)
        return refuse_key(
            "disks", key,
            "leave it out, or attach an image of your own that is made over the other (qemu-img create -b)",
            error);
    if (disk->bus == VIOMMU_DISK_BUS_SATA || disk->bus == VIOMMU_DISK_BUS_NVME)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "disks[0].bus '%s' cannot be attached to a machine that runs; use 'virtio', or 'scsi' where the machine has a disk on 'scsi'",
            viommu_enum_to_string(&viommu_enum_disk_bus, disk->bus));
    return true;
}

static bool check_network(const ViommuRequestNetwork *network, GError **error)
{
    const char *key = network->forward                             ? "forward"
                      : network->boot_order != VIOMMU_UNSET_NUMBER ? "boot-order"
                                                                   : NULL;

    if (viommu_request_network_is_offloaded(network))
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "networks[0].type '%s' is only possible when a machine is launched, because the guest's memory must be shared with who serves it, or locked for it, from the start; use another type",
            viommu_enum_to_string(&viommu_enum_network_type, network->type));
    return !key || refuse_key("networks", key, "leave it out", error);
}

static bool check_hostdev(const ViommuRequestHostdev *hostdev, GError **error)
{
    const char *key = hostdev->boot_order != VIOMMU_UNSET_NUMBER ? "boot-order" : NULL;

    if (hostdev->count != VIOMMU_UNSET_NUMBER && hostdev->count != 1)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "one device can be attached at a time, but hostdevs[0].count is %" G_GUINT64_FORMAT
                           "; leave it out",
                           hostdev->count);
    if (hostdev->iommufd == VIOMMU_IOMMUFD_YES || hostdev->iommufd == VIOMMU_IOMMUFD_AUTO)
        key = "iommufd";
    return !key || refuse_key("hostdevs", key, "leave it out", error);
}

bool viommu_plug_check_request(const ViommuRequest *request, GError **error)
{
    if (request->disks)
        return check_disk(g_ptr_array_index(request->disks, 0), error);
    if (request->networks)
        return check_network(g_ptr_array_index(request->networks, 0), error);
    return check_hostdev(g_ptr_array_index(request->hostdevs, 0), error);
}

/* --- The room --- */

void viommu_plug_room_clear(ViommuPlugRoom *room)
{
    g_clear_pointer(&room->targets, g_strfreev);
    g_clear_pointer(&room->ids, g_strfreev);
    g_clear_pointer(&room->model, g_free);
}

/* The bus of the guest on which a device is; false: it is not on PCI. */
static bool bus_of(const xmlNode *device, unsigned *ret_bus)
{
    const xmlNode *address = viommu_xml_child(device, "address");
    g_autofree char *type = viommu_xml_get(address, "type"), *bus = viommu_xml_get(address, "bus");
    guint64 number;

    if (g_strcmp0(type, "pci") != 0 || !bus || !g_str_has_prefix(bus, "0x") ||
        !g_ascii_string_to_unsigned(bus + 2, 16, 0, 0xff, &number, NULL))
        return false;
    *ret_bus = (unsigned)number;
    return true;
}

static bool is_word(const xmlNode *node, const char *attribute, const char *word)
{
    g_autofree char *value = viommu_xml_get(node, attribute);

    return g_strcmp0(value, word) == 0;
}

/* A root port of pcie.0: its number as a bus; 0: it is something else. */
static unsigned root_port(const xmlNode *device)
{
    g_autofree char *index = viommu_xml_get(device, "index");
    guint64 number;
    unsigned bus;

    if (!g_str_equal((const char *)device->name, "controller") ||
        !is_word(device, "model", "pcie-root-port") ||
        is_word(viommu_xml_child(device, "target"), "hotplug", "off") || !bus_of(device, &bus) || bus != 0 ||
        !index || !g_ascii_string_to_unsigned(index, 10, 1, 0xff, &number, NULL))
        return 0;
    return (unsigned)number;
}

static void take_iommu(const xmlNode *device, ViommuPlugRoom *room)
{
    const xmlNode *driver = viommu_xml_child(device, "driver");
    g_autofree char *width = viommu_xml_get(driver, "aw_bits");
    guint64 number;

    g_free(room->model);
    room->model = viommu_xml_get(device, "model");
    room->is_mirrored = room->is_mirrored || is_word(driver, "caching_mode", "on");
    if (width && g_ascii_string_to_unsigned(width, 10, 1, 64, &number, NULL))
        room->aw_bits = number;
}

typedef struct Reading {
    ViommuPlugRoom *room;
    GPtrArray *targets, *ids;
    bool ports[0x100], used[0x100];
} Reading;

static void take_device(const xmlNode *device, Reading *reading)
{
    const char *name = (const char *)device->name;
    g_autofree char *alias = viommu_xml_get(viommu_xml_child(device, "alias"), "name");
    unsigned bus;

    reading->ports[root_port(device)] = true;
    if (bus_of(device, &bus))
        reading->used[bus] = true;
    if (alias && g_str_has_prefix(alias, VIOMMU_ATTACHED_ALIAS))
        g_ptr_array_add(reading->ids, g_strdup(alias + strlen(VIOMMU_ATTACHED_ALIAS)));
    if (g_str_equal(name, "disk")) {
        char *target = viommu_xml_get(viommu_xml_child(device, "target"), "dev");

        if (target)
            g_ptr_array_add(reading->targets, target);
    } else if (g_str_equal(name, "controller")) {
        reading->room->has_ports |= is_word(device, "model", "pcie-root");
        reading->room->has_scsi |= is_word(device, "type", "scsi");
    } else if (g_str_equal(name, "iommu")) {
        take_iommu(device, reading->room);
    }
}

static char **take_strings(GPtrArray *texts)
{
    g_ptr_array_add(texts, NULL);
    return (char **)g_ptr_array_free(texts, FALSE);
}

bool viommu_plug_room_read(const char *xml, ViommuPlugRoom *ret_room, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_BACKEND, error);
    Reading reading = {.room = ret_room};

    if (!document)
        return false;
    *ret_room = (ViommuPlugRoom){.aw_bits = VIOMMU_UNSET_NUMBER};
    reading.targets = g_ptr_array_new();
    reading.ids = g_ptr_array_new();
    for (const xmlNode *device =
             viommu_xml_child(viommu_xml_child(xmlDocGetRootElement(document), "devices"), NULL);
         device; device = viommu_xml_next(device, NULL))
        take_device(device, &reading);
    for (unsigned bus = 1; bus < G_N_ELEMENTS(reading.ports) && ret_room->port == 0; bus++)
        if (reading.ports[bus] && !reading.used[bus])
            ret_room->port = bus;
    ret_room->targets = take_strings(reading.targets);
    ret_room->ids = take_strings(reading.ids);
    return true;
}

/* --- Both --- */

/* A device of the host is in the domain of an IOMMU that began without it. */
static bool check_iommu(const char *name, const ViommuPlan *plan, const ViommuPlugRoom *room, GError **error)
{
    uint64_t width = plan->placement.width_bits;

    if (plan->iommu.model == VIOMMU_MODEL_SMMUV3)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "a device of the host cannot be attached to machine '%s', because an smmuv3 serves only the devices that it began with; launch the machine with the device",
            name);
    if (plan->iommu.model == VIOMMU_MODEL_INTEL && !room->is_mirrored)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "a device of the host cannot be attached to machine '%s', because caching_mode of its IOMMU is off, and does not change while it runs; launch it with iommu.caching-mode and hotplug-ports, or with the device",
            name);
    if (plan->iommu.model == VIOMMU_MODEL_INTEL && room->aw_bits != VIOMMU_UNSET_NUMBER &&
        width != VIOMMU_UNSET_NUMBER && room->aw_bits > width)
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "a device of the host cannot be attached to machine '%s', because aw_bits of its IOMMU is %" G_GUINT64_FORMAT
            " and the host's IOMMU translates %" G_GUINT64_FORMAT
            " bits; launch it with hotplug-ports, or with the device",
            name, room->aw_bits, width);
    return true;
}

static bool needs_port(const ViommuPlan *plan)
{
    return plan->disks->len == 0 ||
           ((const ViommuPlanDisk *)g_ptr_array_index(plan->disks, 0))->bus != VIOMMU_DISK_BUS_SCSI;
}

bool viommu_plug_check_room(const char *name, const ViommuPlan *plan, const ViommuPlugRoom *room,
                            GError **error)
{
    const char *model =
        plan->iommu.model == VIOMMU_MODEL_NONE ? NULL : viommu_model_to_string(plan->iommu.model);

    if (g_strcmp0(model, room->model) != 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL,
                           "machine '%s' has the IOMMU '%s', but its metadata says '%s'", name,
                           room->model ? room->model : "none", model ? model : "none");
    if (plan->placement.devices->len > 0 && !check_iommu(name, plan, room, error))
        return false;
    if (!needs_port(plan))
        return room->has_scsi ||
               viommu_fail(
                   error, VIOMMU_ERROR_NOT_SUPPORTED,
                   "machine '%s' has no SCSI controller for disks[0].bus 'scsi'; use 'virtio', or launch it with a disk on 'scsi'",
                   name);
    if (!room->has_ports || room->port)
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_BUSY,
        "machine '%s' has no free root port for a device; detach a device, or launch it with more hotplug-ports",
        name);
}

unsigned viommu_plug_bus(const ViommuPlan *plan, const ViommuPlugRoom *room)
{
    return room->has_ports && needs_port(plan) ? room->port : 0;
}

ViommuAttached *viommu_plug_record(const ViommuRequest *request, const ViommuPlan *plan, const char *id)
{
    ViommuAttached *record = g_new0(ViommuAttached, 1);

    record->id = g_strdup(id);
    if (request->disks) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, 0);

        record->kind = VIOMMU_ATTACHED_DISK;
        record->what = g_strdup(disk->file.path);
    } else if (request->networks) {
        const ViommuRequestNetwork *network = g_ptr_array_index(request->networks, 0);

        record->kind = VIOMMU_ATTACHED_NETWORK;
        record->what =
            g_strdup(network->source ? network->source
                                     : viommu_enum_to_string(&viommu_enum_network_type, network->type));
    } else {
        const ViommuPlacedDevice *device = g_ptr_array_index(plan->placement.devices, 0);

        record->kind = VIOMMU_ATTACHED_HOSTDEV;
        record->what = g_strdup(device->address);
        record->host_driver = device->taken ? g_strdup(device->host_driver) : NULL;
        record->memlock_bytes = plan->memlock_bytes;
    }
    return record;
}
