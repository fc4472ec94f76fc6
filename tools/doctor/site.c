/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site: what users other than root may have of the host's devices and networks, and listed devices
 * that are not available. */
#include "tools/doctor/internal.h"

static char *join(char **names)
{
    g_autofree char *list = g_strjoinv(", ", names);

    return *list ? g_strdup(list) : g_strdup("none");
}

static void tell_lists(ViommuExamination *examination, const ViommuSite *site)
{
    g_autofree char *devices = viommu_site_format_selectors(site->allow);
    g_autofree char *drivers = join(site->drivers);
    g_autofree char *networks = join(site->networks), *bridges = join(site->bridges);

    TELL(
        OK, NULL,
        "users other than root may have devices: %s; taken from drivers of the host: %s; hostdevs[].driver: %s; networks of type user: %s; libvirt networks: %s; bridges: %s",
        *devices ? devices : "none", site->take_from_driver ? "yes" : "no", drivers,
        site->user_networks ? "yes" : "no", networks, bridges);
    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *device = g_ptr_array_index(site->devices, i);
        g_autofree char *match = viommu_site_format_selectors(device->match);
        g_autofree char *most = device->per_user
                                    ? g_strdup_printf("at most %" G_GUINT64_FORMAT, device->per_user)
                                    : g_strdup("any number");

        TELL(OK, NULL, "'%s' (%s) is for %s%s, %s per user", device->name, match,
             *device->group ? "members of group " : "all members", device->group, most);
    }
}

static void tell_device(ViommuExamination *examination, const ViommuPciDevice *device)
{
    g_autofree char *uses = device->uses ? g_strjoinv("; ", device->uses) : NULL;
    g_autofree char *regions = device->direct_regions ? g_strjoinv(", ", device->direct_regions) : NULL;

    if (regions)
        TELL(
            WARNING,
            g_strdup(
                "switch off the firmware's feature that shares this memory (HPE: Shared Memory Features of the slot), or remove the device from [devices] allow in viommud.conf(5)"),
            "%s (%s) is listed for users other than root, but cannot be assigned, because the firmware keeps memory for its IOMMU group (RMRR %s)",
            device->address, viommu_pci_device_noun(device), regions);
    if (uses)
        TELL(
            WARNING, g_strdup("end this use, or remove the device from [devices] allow in viommud.conf(5)"),
            "%s (%s) is listed for users other than root, but not available, because the host itself uses it: %s",
            device->address, viommu_pci_device_noun(device), uses);
}

void viommu_doctor_check_site(ViommuExamination *examination, const ViommuPatient *patient)
{
    const ViommuSite *site = patient->config && patient->system ? &patient->config->site : NULL;
    const GPtrArray *devices = patient->host ? patient->host->topology.devices : NULL;

    if (!site)
        return;
    tell_lists(examination, site);
    for (guint i = 0; devices && i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (viommu_site_selects(site, site->allow, device))
            tell_device(examination, device);
    }
    if (site->root_takes_used)
        TELL(WARNING, g_strdup("set [devices] in-use=refuse in viommud.conf(5) when you no longer need it"),
             "root may assign devices that the host itself uses, such as the disk of its root file system");
}
