/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/translate.h"

#include "lib/base/error.h"
#include "lib/request/selector.h"

/* A disk, a network or another device, as the checks see it. */
typedef struct Device {
    const char *list; /* the key of its list */
    guint index;
    const char *noun, *word; /* "disk on bus", "sata" */
    bool is_virtio, is_offloaded;
    int translate, ats; /* flags */
} Device;

bool viommu_request_disk_is_virtio(const ViommuRequestDisk *disk)
{
    return disk->bus == VIOMMU_UNSET || disk->bus == (int)VIOMMU_DISK_BUS_VIRTIO ||
           disk->bus == (int)VIOMMU_DISK_BUS_SCSI;
}

ViommuNetworkModel viommu_request_network_model(const ViommuRequestNetwork *network)
{
    return network->model == VIOMMU_UNSET ? VIOMMU_NETWORK_MODEL_VIRTIO : (ViommuNetworkModel)network->model;
}

bool viommu_request_network_is_offloaded(const ViommuRequestNetwork *network)
{
    return network->type == (int)VIOMMU_NETWORK_TYPE_VHOSTUSER ||
           network->type == (int)VIOMMU_NETWORK_TYPE_VDPA;
}

unsigned viommu_request_count_vdpa(const ViommuRequest *request)
{
    unsigned n = 0;

    for (guint i = 0; request->networks && i < request->networks->len; i++)
        n += ((const ViommuRequestNetwork *)g_ptr_array_index(request->networks, i))->type ==
             (int)VIOMMU_NETWORK_TYPE_VDPA;
    return n;
}

static const char *bus_word(const ViommuRequestDisk *disk)
{
    return viommu_enum_to_string(&viommu_enum_disk_bus,
                                 disk->bus == VIOMMU_UNSET ? (int)VIOMMU_DISK_BUS_VIRTIO : disk->bus);
}

/* The @n-th of the disks, networks and devices.  False: there are fewer. */
static bool get_device(const ViommuRequest *request, guint n, Device *ret_device)
{
    guint n_disks = request->disks ? request->disks->len : 0;
    guint n_networks = request->networks ? request->networks->len : 0;

    if (n < n_disks) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, n);

        *ret_device = (Device){"disks",
                               n,
                               "disk on bus",
                               bus_word(disk),
                               viommu_request_disk_is_virtio(disk),
                               false,
                               disk->translate,
                               disk->ats};
        return true;
    }
    n -= n_disks;
    if (n < n_networks) {
        const ViommuRequestNetwork *network = g_ptr_array_index(request->networks, n);
        ViommuNetworkModel model = viommu_request_network_model(network);

        *ret_device = (Device){"networks",
                               n,
                               "network of model",
                               viommu_enum_to_string(&viommu_enum_network_model, (int)model),
                               model == VIOMMU_NETWORK_MODEL_VIRTIO,
                               viommu_request_network_is_offloaded(network),
                               network->translate,
                               network->ats};
        return true;
    }
    n -= n_networks;
    if (request->devices && n < request->devices->len) {
        const ViommuRequestDevice *device = g_ptr_array_index(request->devices, n);

        *ret_device = (Device){
            "devices", n,     "device of kind",  viommu_enum_to_string(&viommu_enum_device, device->kind),
            true,      false, device->translate, device->ats};
        return true;
    }
    return false;
}

char *viommu_request_translate_key(const ViommuRequest *request)
{
    Device device;

    if (request->iommu.translate == 1)
        return g_strdup("iommu.translate");
    for (guint n = 0; get_device(request, n, &device); n++)
        if (device.is_virtio && (device.translate == 1 || device.ats == 1))
            return g_strdup_printf("%s[%u].%s", device.list, device.index,
                                   device.translate == 1 ? "translate" : "ats");
    return NULL;
}

bool viommu_request_has_ats(const ViommuRequest *request)
{
    Device device;

    for (guint n = 0; get_device(request, n, &device); n++)
        if (device.ats == 1)
            return true;
    return false;
}

static bool check_ats(const ViommuRequest *request, const Device *device, GError **error)
{
    const ViommuRequestIommu *iommu = &request->iommu;
    g_autofree char *own = g_strdup_printf("%s[%u].translate", device->list, device->index);
    g_autofree char *key = g_strdup_printf("%s[%u].ats", device->list, device->index);

    if (device->ats != 1)
        return true;
    if (!device->is_virtio)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].ats is true, but no %s '%s' has ATS, which only virtio devices have; omit ats, or use 'virtio'",
            device->list, device->index, device->noun, device->word);
    if (iommu->iotlb != 1)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].ats needs an IOMMU that serves the devices' own IOTLBs; set iommu.iotlb to true, or omit ats",
            device->list, device->index);
    if (device->is_offloaded && device->translate == VIOMMU_UNSET)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s needs the device behind the IOMMU, where a network of this type is only with %s; set that to true, or omit ats",
            key, own);
    if (device->translate == 0 || (device->translate == VIOMMU_UNSET && iommu->translate == 0))
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].ats needs the device behind the IOMMU, but %s is false; change one of the two",
            device->list, device->index, device->translate == 0 ? own : "iommu.translate");
    return true;
}

static bool check_device(const ViommuRequest *request, const Device *device, GError **error)
{
    const ViommuRequestIommu *iommu = &request->iommu;
    ViommuSelector selector;

    if (device->translate == 0 && !device->is_virtio)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].translate is false, but QEMU puts every %s '%s' behind the IOMMU; only virtio devices can be outside: omit translate, or use 'virtio'",
            device->list, device->index, device->noun, device->word);
    if (device->translate == 0 && request->launch_security.type != VIOMMU_UNSET)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].translate is false, but with launch-security the guest can only use virtio devices that go through its DMA API; omit one of the two",
            device->list, device->index);
    if (device->translate == 0 && request->verify.level > (int)VIOMMU_LEVEL_PRESENT)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "verify.level '%s' needs all devices behind the IOMMU, but %s[%u].translate is false; change one of the two",
            viommu_enum_to_string(&viommu_enum_level, request->verify.level), device->list, device->index);
    if (device->translate != 1)
        return true;
    if (!iommu->present || !viommu_selector_read(iommu, &selector, NULL) ||
        selector.kind == VIOMMU_SELECTOR_NONE)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].translate needs an IOMMU, but the request asks for none; set iommu.is-supported or iommu.model, or omit translate",
            device->list, device->index);
    if (iommu->dma_translation == 0)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s[%u].translate needs DMA translation, but iommu.dma-translation is false; change one of the two",
            device->list, device->index);
    return true;
}

static const char *differing(const ViommuRequestDisk *first, const ViommuRequestDisk *other)
{
    return first->translate != other->translate ? "translate" : "ats";
}

/* What stands behind the IOMMU is the controller, which they share. */
static bool check_scsi_disks(const ViommuRequest *request, GError **error)
{
    const ViommuRequestDisk *first = NULL;
    guint first_index = 0;

    for (guint i = 0; request->disks && i < request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, i);

        if (disk->bus != (int)VIOMMU_DISK_BUS_SCSI)
            continue;
        if (first && (first->translate != disk->translate || first->ats != disk->ats))
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "disks[%u].%s and disks[%u].%s differ, but all disks on 'scsi' share one controller; give them the same value",
                first_index, differing(first, disk), i, differing(first, disk));
        if (first)
            continue;
        first = disk;
        first_index = i;
    }
    return true;
}

static bool has_scsi_disk(const ViommuRequest *request)
{
    for (guint i = 0; request->disks && i < request->disks->len; i++)
        if (((const ViommuRequestDisk *)g_ptr_array_index(request->disks, i))->bus ==
            (int)VIOMMU_DISK_BUS_SCSI)
            return true;
    return false;
}

static bool check_devices(const ViommuRequest *request, GError **error)
{
    guint of_kind[VIOMMU_DEVICE_LAST] = {0}; /* index + 1 */

    for (guint i = 0; request->devices && i < request->devices->len; i++) {
        int kind = ((const ViommuRequestDevice *)g_ptr_array_index(request->devices, i))->kind;
        const char *word = viommu_enum_to_string(&viommu_enum_device, kind);

        if (of_kind[kind])
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "devices[%u] and devices[%u] are both of kind '%s', of which a machine has at most one; remove one",
                of_kind[kind] - 1, i, word);
        of_kind[kind] = i + 1;
        if (kind == VIOMMU_DEVICE_SCSI && has_scsi_disk(request))
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "devices[%u].kind is 'scsi', but the disks on 'scsi' have that controller already; omit the device, and set translate and ats of the disks",
                i);
    }
    return true;
}

bool viommu_request_check_translate(const ViommuRequest *request, GError **error)
{
    Device device;

    if (!check_devices(request, error))
        return false;
    for (guint n = 0; get_device(request, n, &device); n++)
        if (!check_device(request, &device, error) || !check_ats(request, &device, error))
            return false;
    return check_scsi_disks(request, error);
}
