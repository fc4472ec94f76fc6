/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommufd: decides which assigned devices use iommufd, and gives the reason for the others.
 * Opt-in, as upstream advises. */
#include "lib/plan/iommufd.h"

#include <string.h>

#include "lib/plan/build.h"

/* The kernel makes a device's node when a VFIO driver is bound. */
static bool kernel_has_cdevs(const ViommuTopology *topology)
{
    for (guint i = 0; topology->devices && i < topology->devices->len; i++)
        if (((const ViommuPciDevice *)g_ptr_array_index(topology->devices, i))->cdev)
            return true;
    return false;
}

/* What the device lacks for iommufd, the first thing to fix; NULL: nothing, as far as is known.
 * Owned. */
static char *hindrance(const ViommuPlanBuild *build, const ViommuPlacedDevice *device)
{
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_IOMMUFD);
    g_autofree char *had = viommu_fact_had(VIOMMU_FACT_IOMMUFD, libvirt, build->emulator->qemu);
    g_autofree char *kernel = viommu_fact_kernel(VIOMMU_FACT_IOMMUFD, true);
    g_autofree char *cdev_kernel = viommu_fact_kernel(VIOMMU_FACT_IOMMUFD_CDEV, true);

    if (build->emulator->refuses & VIOMMU_BIT(VIOMMU_FACT_IOMMUFD))
        return g_strdup_printf("libvirt reports that this QEMU cannot use it; it needs %s, built with it",
                               needs);
    if (!viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_IOMMUFD))
        return g_strdup_printf("it needs %s, but %s", needs, had);
    /* libvirt's answer counts if the host's kernel has iommufd and libvirt was not asked with an
     * example. */
    if (build->emulator->iommufd == 0 && build->input->host->topology.iommufd == 1 &&
        !(build->emulator->accepts & VIOMMU_BIT(VIOMMU_FACT_IOMMUFD)))
        return g_strdup(
            "libvirt reports that this QEMU cannot use it: QEMU was built without it, or libvirt's daemon has not looked since /dev/iommu appeared (restart libvirtd or virtqemud)");
    /* The module is loaded when the first VFIO driver is bound. */
    if (build->input->host->topology.iommufd_loadable == 1 && build->input->host->unprivileged == 1)
        return g_strdup("the module iommufd is not loaded; as root run \"modprobe iommufd\"");
    if (build->input->host->topology.iommufd == 0 && build->input->host->topology.iommufd_loadable != 1)
        return g_strdup_printf(
            "the host's kernel has no /dev/iommu; that needs %s or newer with CONFIG_IOMMUFD, which Debian's kernels lack",
            kernel);
    if (build->input->host->unprivileged == 1 && build->input->host->topology.iommufd_usable != 1)
        return g_strdup("the user that libvirt runs as may not open /dev/iommu");
    if (device->host_driver && strstr(device->host_driver, "vfio") && !device->cdev)
        return g_strdup_printf(
            "the device is bound to %s, but has no node in /dev/vfio/devices; that needs %s or newer with CONFIG_VFIO_DEVICE_CDEV",
            device->host_driver, cdev_kernel);
    return NULL;
}

/* What is not known of the device; this only prevents "auto".  Owned. */
static char *doubt(const ViommuPlanBuild *build, const ViommuPlacedDevice *device)
{
    const ViommuTopology *topology = &build->input->host->topology;

    if (viommu_placed_is_interface(device))
        return g_strdup("libvirt gives a network interface a VFIO container");
    if (topology->iommufd_loadable == 1)
        return g_strdup(
            "the module iommufd is not loaded; run \"modprobe iommufd\", or set hostdevs[].iommufd to 'yes', and binding the device to VFIO loads it");
    if (topology->iommufd != 1)
        return g_strdup("viommud cannot see whether the host's kernel has /dev/iommu");
    if (!device->cdev && !kernel_has_cdevs(topology))
        return g_strdup(
            "no device of this host is bound to VFIO, so viommud cannot see whether the kernel has /dev/vfio/devices; set hostdevs[].iommufd to 'yes' if it has");
    if (build->plan->placement.devices->len > 1)
        return g_strdup(
            "several devices are assigned, and with iommufd most kernels let no device reach another's memory; set hostdevs[].iommufd to 'yes' if yours need not");
    return NULL;
}

static bool decide(ViommuPlanBuild *build, ViommuIommufd wanted, ViommuPlacedDevice *device, GError **error)
{
    g_autofree char *missing = NULL, *unknown = NULL;

    if (wanted == VIOMMU_IOMMUFD_NO) {
        device->backend_reason = g_strdup(VIOMMU_IOMMUFD_NOT_ASKED);
        return true;
    }
    missing = hindrance(build, device);
    if (wanted == VIOMMU_IOMMUFD_YES && missing)
        return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_IOMMUFD, error,
                                  "hostdevs[%u].iommufd is 'yes', but iommufd is not possible for '%s': %s",
                                  device->entry, device->address, missing);
    unknown = wanted == VIOMMU_IOMMUFD_AUTO ? doubt(build, device) : NULL;
    device->iommufd = !missing && !unknown;
    if (device->iommufd)
        device->backend_reason =
            g_strdup(wanted == VIOMMU_IOMMUFD_YES ? "the request asks for it"
                                                  : "libvirt, QEMU and the kernel support it");
    else
        device->backend_reason = missing ? g_steal_pointer(&missing) : g_steal_pointer(&unknown);
    return true;
}

bool viommu_plan_settle_iommufd(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *devices = build->plan->placement.devices;

    for (guint i = 0; i < devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(devices, i);
        const ViommuRequestHostdev *asked = g_ptr_array_index(build->request->hostdevs, device->entry);
        bool said = asked->iommufd != VIOMMU_UNSET;

        if (!decide(build, said ? (ViommuIommufd)asked->iommufd : VIOMMU_IOMMUFD_NO, device, error))
            return false;
    }
    return true;
}
