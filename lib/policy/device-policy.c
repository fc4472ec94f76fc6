/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/policy/device-policy.h"

#include <string.h>

/* Modules with an alias "vfio_pci:..." in Linux 6.17, used when /lib/modules is not visible. */
static const char *const vfio_drivers[] = {
    "vfio-pci",     "mlx5-vfio-pci",   "hisi-acc-vfio-pci", "pds-vfio-pci", "nvgrace-gpu-vfio-pci",
    "qat-vfio-pci", "virtio-vfio-pci", "xe-vfio-pci",
};

bool viommu_device_policy_is_free(const ViommuPciDevice *device)
{
    return !device->driver || strstr(device->driver, "vfio") || g_str_equal(device->driver, "pci-stub");
}

static bool is_for(const ViommuAsker *asker, const char *name)
{
    return asker->names && g_strv_contains((const char *const *)asker->names, name);
}

/* A site's name that selects a device reserves it for the name's users, even if the device is also
 * listed otherwise. */
static bool names_allow(const ViommuSite *site, const ViommuAsker *asker, const ViommuPciDevice *device)
{
    bool named = false;

    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *name = g_ptr_array_index(site->devices, i);

        if (!viommu_site_selects(NULL, name->match, device))
            continue;
        if (is_for(asker, name->name))
            return true;
        named = true;
    }
    return !named;
}

/* Unknown properties, such as those of a device that does not exist, are part of the name, too.
 * Owned. */
static char *name_device(const ViommuPciDevice *device, const char *driver)
{
    g_autofree char *kind = device->vendor == VIOMMU_UNSET_NUMBER
                                ? g_strdup("unknown")
                                : g_strdup_printf("%04" G_GINT64_MODIFIER "x:%04" G_GINT64_MODIFIER "x",
                                                  device->vendor, device->device);

    return g_strdup_printf("%s %s %s", device->address, kind, driver ? driver : "none");
}

char *viommu_device_policy_grant(const ViommuPciDevice *device)
{
    return name_device(device, device->driver);
}

bool viommu_device_policy_is_granted(const ViommuAsker *asker, const ViommuPciDevice *device)
{
    g_autofree char *now = NULL, *any = NULL;

    if (!asker || asker->kind != VIOMMU_ASKER_MEMBER || !asker->granted)
        return false;
    now = name_device(device, device->driver);
    any = name_device(device, "");
    for (char **granted = asker->granted; *granted; granted++)
        if (g_str_equal(*granted, now) ||
            (viommu_device_policy_is_free(device) && g_str_has_prefix(*granted, any)))
            return true;
    return false;
}

bool viommu_device_policy_is_beyond(const ViommuSite *site, const ViommuAsker *asker,
                                    const ViommuPciDevice *device)
{
    return asker->kind == VIOMMU_ASKER_MEMBER && !viommu_device_policy_is_granted(asker, device) &&
           (!viommu_device_policy_allows(site, asker, device) ||
            !(viommu_device_policy_is_free(device) || (site && site->take_from_driver)));
}

bool viommu_device_policy_allows(const ViommuSite *site, const ViommuAsker *asker,
                                 const ViommuPciDevice *device)
{
    if (!viommu_asker_is_bound(asker))
        return true;
    if (viommu_device_policy_is_granted(asker, device))
        return true;
    return asker->kind == VIOMMU_ASKER_MEMBER && site && viommu_site_selects(site, site->allow, device) &&
           names_allow(site, asker, device);
}

bool viommu_device_policy_allows_name(const ViommuSite *site, const ViommuAsker *asker, const char *name)
{
    return !viommu_asker_is_bound(asker) || (asker->kind == VIOMMU_ASKER_MEMBER && site &&
                                             viommu_site_device(site, name) && is_for(asker, name));
}

/* The kernel's tools treat "-" and "_" in a module's name as equal. */
static bool same_module(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if (*a != *b && !(strchr("-_", *a) && strchr("-_", *b)))
            return false;
    return *a == *b;
}

static bool is_made_for_vfio(const ViommuTopology *topology, const char *driver)
{
    for (char **name = topology->vfio_drivers; name && *name; name++)
        if (same_module(*name, driver))
            return true;
    for (size_t i = 0; !topology->vfio_drivers && i < G_N_ELEMENTS(vfio_drivers); i++)
        if (same_module(vfio_drivers[i], driver))
            return true;
    return false;
}

bool viommu_device_policy_allows_driver(const ViommuSite *site, const ViommuTopology *topology,
                                        const char *driver)
{
    static const char *const by_default[] = {"auto", NULL};
    const char *const *names = site ? (const char *const *)site->drivers : by_default;

    for (; *names; names++)
        if (g_str_equal(*names, "auto") ? is_made_for_vfio(topology, driver) : same_module(*names, driver))
            return true;
    return false;
}
