/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/translate.h"

#include "lib/base/error.h"
#include "lib/request/selector.h"

/* A disk or a network, as the checks see it. */
typedef struct Device {
    const char *list; /* the key of its list */
    guint index;
    const char *noun, *word; /* "disk on bus", "sata" */
    bool is_virtio;
    int translate; /* flag */
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

static const char *bus_word(const ViommuRequestDisk *disk)
{
    return viommu_enum_to_string(&viommu_enum_disk_bus,
                                 disk->bus == VIOMMU_UNSET ? (int)VIOMMU_DISK_BUS_VIRTIO : disk->bus);
}

/* The @n-th of the disks and networks.  False: there are fewer. */
static bool get_device(const ViommuRequest *request, guint n, Device *ret_device)
{
    guint n_disks = request->disks ? request->disks->len : 0;
    guint n_networks = request->networks ? request->networks->len : 0;

    if (n < n_disks) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, n);

        *ret_device = (Device){
            "disks", n, "disk on bus", bus_word(disk), viommu_request_disk_is_virtio(disk), disk->translate};
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
                               network->translate};
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
        if (device.is_virtio && device.translate == 1)
            return g_strdup_printf("%s[%u].translate", device.list, device.index);
    return NULL;
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

/* What stands behind the IOMMU is the controller, which they share. */
static bool check_scsi_disks(const ViommuRequest *request, GError **error)
{
    const ViommuRequestDisk *first = NULL;
    guint first_index = 0;

    for (guint i = 0; request->disks && i < request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, i);

        if (disk->bus != (int)VIOMMU_DISK_BUS_SCSI)
            continue;
        if (first && first->translate != disk->translate)
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "disks[%u].translate and disks[%u].translate differ, but all disks on 'scsi' share one controller; give them the same value",
                first_index, i);
        if (first)
            continue;
        first = disk;
        first_index = i;
    }
    return true;
}

bool viommu_request_check_translate(const ViommuRequest *request, GError **error)
{
    Device device;

    for (guint n = 0; get_device(request, n, &device); n++)
        if (!check_device(request, &device, error))
            return false;
    return check_scsi_disks(request, error);
}
