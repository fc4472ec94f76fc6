/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/iommufd.h"

#include <string.h>

#include "lib/base/error.h"

typedef struct Deciding {
    const ViommuHost *host;
    const ViommuEmulator *emulator;
    const ViommuPlacement *placement;
} Deciding;

/* The kernel gives a device its node when a VFIO driver is bound. */
static bool kernel_has_cdevs(const ViommuTopology *topology)
{
    for (guint i = 0; topology->devices && i < topology->devices->len; i++)
        if (((const ViommuPciDevice *)g_ptr_array_index(topology->devices, i))->cdev)
            return true;
    return false;
}

/* What is missing, the first thing to mend first; NULL: nothing is known to be missing. Owned. */
static char *hindrance(const Deciding *deciding, const ViommuPlacedDevice *device)
{
    ViommuVersion libvirt = deciding->host->libvirt;
    g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_IOMMUFD);
    g_autofree char *had = viommu_fact_had(VIOMMU_FACT_IOMMUFD, libvirt, deciding->emulator->qemu);
    g_autofree char *kernel = viommu_fact_kernel(VIOMMU_FACT_IOMMUFD, true);
    g_autofree char *cdev_kernel = viommu_fact_kernel(VIOMMU_FACT_IOMMUFD_CDEV, true);

    if (!viommu_emulator_has(deciding->emulator, libvirt, VIOMMU_FACT_IOMMUFD))
        return g_strdup_printf("it needs %s, but %s", needs, had);
    if (deciding->host->topology.iommufd == 0)
        return g_strdup_printf(
            "the host's kernel has no /dev/iommu; that needs %s or newer with CONFIG_IOMMUFD, which Debian's kernels lack",
            kernel);
    if (deciding->host->unprivileged == 1 && deciding->host->topology.iommufd_usable != 1)
        return g_strdup("the user that libvirt runs as may not open /dev/iommu");
    if (device->host_driver && strstr(device->host_driver, "vfio") && !device->cdev)
        return g_strdup_printf(
            "the device is bound to %s, but has no node in /dev/vfio/devices; that needs %s or newer with CONFIG_VFIO_DEVICE_CDEV",
            device->host_driver, cdev_kernel);
    return NULL;
}

/* What is not known, which holds back only "auto". Owned. */
static char *doubt(const Deciding *deciding, const ViommuPlacedDevice *device)
{
    const ViommuTopology *topology = &deciding->host->topology;

    if (topology->iommufd != 1)
        return g_strdup("viommud cannot see whether the host's kernel has /dev/iommu");
    if (!device->cdev && !kernel_has_cdevs(topology))
        return g_strdup(
            "no device of this host is bound to VFIO, so viommud cannot see whether the kernel has /dev/vfio/devices; set it to 'yes' if it has");
    if (deciding->placement->devices->len > 1)
        return g_strdup(
            "several devices are assigned, and with iommufd most kernels let no device reach another's memory; set it to 'yes' if yours need not");
    return NULL;
}

static bool decide(const Deciding *deciding, ViommuIommufd wanted, ViommuPlacedDevice *device, GError **error)
{
    g_autofree char *missing = NULL, *unknown = NULL;

    if (wanted == VIOMMU_IOMMUFD_NO) {
        device->backend_reason = g_strdup(VIOMMU_IOMMUFD_NOT_ASKED);
        return true;
    }
    missing = hindrance(deciding, device);
    if (wanted == VIOMMU_IOMMUFD_YES && missing) {
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                           "hostdevs[%u].iommufd is 'yes', but iommufd is not possible for '%s': %s",
                           device->entry, device->address, missing);
    }
    unknown = wanted == VIOMMU_IOMMUFD_AUTO ? doubt(deciding, device) : NULL;
    device->iommufd = !missing && !unknown;
    if (device->iommufd)
        device->backend_reason =
            g_strdup(wanted == VIOMMU_IOMMUFD_YES ? "the request asks for it"
                                                  : "libvirt, QEMU and the kernel support it");
    else
        device->backend_reason = missing ? g_steal_pointer(&missing) : g_steal_pointer(&unknown);
    return true;
}

bool viommu_iommufd_decide(const ViommuRequest *request, const ViommuHost *host,
                           const ViommuEmulator *emulator, ViommuPlacement *placement, GError **error)
{
    Deciding deciding = {host, emulator, placement};

    for (guint i = 0; i < placement->devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);
        const ViommuRequestHostdev *asked = g_ptr_array_index(request->hostdevs, device->entry);

        if (!decide(&deciding,
                    asked->iommufd == VIOMMU_UNSET ? VIOMMU_IOMMUFD_NO : (ViommuIommufd)asked->iommufd,
                    device, error))
            return false;
    }
    return true;
}
