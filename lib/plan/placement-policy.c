/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement-policy: what the site lets the asker have, before viommud checks whether the host has
 * it. Messages name only devices that the asker may have. */
#include "lib/plan/placement.h"

#include <string.h>

#include "lib/base/error.h"

/* The part of a device that the request itself tells. */
static ViommuPciDevice device_of(const char *address, const char *vendor, const char *device)
{
    return (ViommuPciDevice){
        .address = (char *)address,
        .vendor = vendor ? g_ascii_strtoull(vendor, NULL, 16) : VIOMMU_UNSET_NUMBER,
        .device = device ? g_ascii_strtoull(device, NULL, 16) : VIOMMU_UNSET_NUMBER,
    };
}

static bool allows(const ViommuPlacementInput *input, const ViommuPciDevice *device)
{
    return viommu_device_policy_allows(input->site, input->asker, device);
}

void viommu_placement_describe(GString *text, const ViommuPciDevice *device)
{
    g_string_append_printf(text, "%s%s (%s, %s%s)", text->len ? ", " : "", device->address,
                           viommu_pci_device_noun(device), device->driver ? "driver " : "no driver",
                           device->driver ? device->driver : "");
}

/* Owned. */
static char *list_allowed(const ViommuPlacementInput *input)
{
    const GPtrArray *devices = input->topology->devices;
    GString *text = g_string_new(NULL);
    unsigned n = 0;

    for (guint i = 0; devices && i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (!viommu_pci_device_is_bridge(device) && allows(input, device) && n++ < VIOMMU_PLACEMENT_SHOWN_MAX)
            viommu_placement_describe(text, device);
    }
    if (n > VIOMMU_PLACEMENT_SHOWN_MAX)
        g_string_append_printf(text, " and %u more", n - VIOMMU_PLACEMENT_SHOWN_MAX);
    return g_string_free(text, FALSE);
}

bool viommu_placement_is_wanted(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked,
                                const ViommuPciDevice *device)
{
    const ViommuSiteDevice *named =
        asked->name && input->site ? viommu_site_device(input->site, asked->name) : NULL;

    if (asked->name)
        return named && viommu_site_selects(NULL, named->match, device);
    return device->vendor == g_ascii_strtoull(asked->vendor, NULL, 16) &&
           device->device == g_ascii_strtoull(asked->device, NULL, 16);
}

static bool may_have_kind(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked)
{
    const GPtrArray *devices = input->topology->devices;
    ViommuPciDevice said = device_of(NULL, asked->vendor, asked->device);

    if (allows(input, &said))
        return true;
    for (guint i = 0; devices && i < devices->len; i++) {
        const ViommuPciDevice *device = g_ptr_array_index(devices, i);

        if (viommu_placement_is_wanted(input, asked, device) && allows(input, device))
            return true;
    }
    return false;
}

static bool may_have(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked)
{
    const ViommuPciDevice *device;
    ViommuPciDevice said;

    if (asked->name)
        return viommu_device_policy_allows_name(input->site, input->asker, asked->name);
    if (!asked->address)
        return may_have_kind(input, asked);
    said = device_of(asked->address, NULL, NULL);
    device = viommu_topology_device(input->topology, asked->address);
    return allows(input, device ? device : &said);
}

/* "hostdevs[0].address '0000:65:00.0'". Owned. */
static char *name_entry(guint i, const ViommuRequestHostdev *asked)
{
    if (asked->address)
        return g_strdup_printf("hostdevs[%u].address '%s'", i, asked->address);
    if (asked->name)
        return g_strdup_printf("hostdevs[%u].name '%s'", i, asked->name);
    return g_strdup_printf("hostdevs[%u] of kind '%s:%s'", i, asked->vendor, asked->device);
}

char *viommu_placement_way_out(const ViommuPlacementInput *input, const ViommuRequestHostdev *asked)
{
    if (!asked->address || !input->asker || input->asker->kind != VIOMMU_ASKER_MEMBER)
        return g_strdup("");
    if (!input->asker->verdict)
        return g_strdup(
            "; an administrator can allow it for a launch (polkit action org.viommu1.assign-device)");
    return g_strdup_printf("; org.viommu1.assign-device would allow it: %s", input->asker->verdict);
}

static bool refuse_entry(const ViommuPlacementInput *input, guint i, const ViommuRequestHostdev *asked,
                         GError **error)
{
    g_autofree char *what = name_entry(i, asked), *allowed = list_allowed(input);
    g_autofree char *way_out = viommu_placement_way_out(input, asked);
    g_autofree char *names = input->asker->names ? g_strjoinv(", ", input->asker->names) : g_strdup("");

    return viommu_fail(
        error, VIOMMU_ERROR_POLICY_REFUSED,
        "%s is not among the devices that this site offers to user %u: in viommud.conf(5), [devices] allow lists the devices for users other than root, and group of a [device NAME] says who may have them; user %u may have %s%s%s%s",
        what, input->asker->uid, input->asker->uid, *allowed ? allowed : "no device of this host",
        *names ? ", also by the names " : "", names, way_out);
}

static bool check_driver(const ViommuPlacementInput *input, guint i, const char *driver, GError **error)
{
    bool free = !input->asker || input->asker->kind == VIOMMU_ASKER_OWN;

    if (!driver || free || viommu_device_policy_allows_driver(input->site, input->topology, driver))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_POLICY_REFUSED,
        "hostdevs[%u].driver '%s' is not a VFIO driver, and libvirt would load it as root; leave it out, name a VFIO driver such as mlx5_vfio_pci, or have root add it to [devices] drivers in viommud.conf(5)",
        i, driver);
}

/* More than any user may ever have of that name. */
static bool check_count(const ViommuPlacementInput *input, guint i, const ViommuRequestHostdev *asked,
                        GError **error)
{
    const ViommuSiteDevice *name = asked->name && viommu_asker_is_bound(input->asker)
                                       ? viommu_site_device(input->site, asked->name)
                                       : NULL;
    uint64_t count = asked->count == VIOMMU_UNSET_NUMBER ? 1 : asked->count;

    if (!name || name->per_user == 0 || count <= name->per_user)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                       "hostdevs[%u] requests %" G_GUINT64_FORMAT
                       " of the site's '%s'; each user may have %" G_GUINT64_FORMAT
                       " ([device %s] per-user in viommud.conf(5)); request fewer",
                       i, count, name->name, name->per_user, name->name);
}

bool viommu_placement_check_policy(const ViommuPlacementInput *input, GError **error)
{
    const GPtrArray *asked = input->request->hostdevs;

    for (guint i = 0; asked && i < asked->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(asked, i);

        if (!may_have(input, hostdev))
            return refuse_entry(input, i, hostdev, error);
        if (!check_count(input, i, hostdev, error) || !check_driver(input, i, hostdev->driver, error))
            return false;
    }
    return true;
}

/* VFIO gives the user the whole group, and each of its devices that a VFIO driver has; the group's
 * devices are not isolated from one another. */
bool viommu_placement_check_listed(const ViommuPlacementInput *input, const ViommuPciDevice *device,
                                   GError **error)
{
    const GPtrArray *devices = input->topology->devices;

    if (!allows(input, device)) {
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "'%s' is not among the devices that this site offers to user %u ([devices] allow and group of a [device NAME] in viommud.conf(5))",
            device->address, input->asker->uid);
    }
    for (guint i = 0; device->group != VIOMMU_UNSET_NUMBER && devices && i < devices->len; i++) {
        const ViommuPciDevice *other = g_ptr_array_index(devices, i);

        if (other->group != device->group || viommu_pci_device_is_bridge(other) || !other->driver ||
            !strstr(other->driver, "vfio") || allows(input, other))
            continue;
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "'%s' shares IOMMU group %" G_GUINT64_FORMAT
            " with a device that this site keeps for others, and a group is assigned as a whole; have root list the whole group in [devices] allow of viommud.conf(5), or unbind the other device from its VFIO driver",
            device->address, device->group);
    }
    return true;
}

/* --- How many --- */

static uint64_t count_chosen(const ViommuSiteDevice *name, const ViommuPciDevice *const *chosen, unsigned n)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < n; i++)
        count += viommu_site_selects(NULL, name->match, chosen[i]);
    return count;
}

/* Those that the asker's machines have. */
static uint64_t count_claimed(const ViommuPlacementInput *input, const ViommuSiteDevice *name)
{
    uint64_t count = 0;

    for (size_t i = 0; i < input->n_claims; i++) {
        const ViommuClaim *claim = &input->claims[i];
        const ViommuPciDevice *device = viommu_topology_device(input->topology, claim->address);
        ViommuPciDevice gone = device_of(claim->address, NULL, NULL);

        count += claim->same_owner && viommu_site_selects(NULL, name->match, device ? device : &gone);
    }
    return count;
}

bool viommu_placement_check_counts(const ViommuPlacementInput *input, const ViommuPciDevice *const *chosen,
                                   unsigned n, GError **error)
{
    bool bound = viommu_asker_is_bound(input->asker) && input->site;

    for (guint i = 0; bound && i < input->site->devices->len; i++) {
        const ViommuSiteDevice *name = g_ptr_array_index(input->site->devices, i);
        uint64_t wanted = count_chosen(name, chosen, n), had = wanted ? count_claimed(input, name) : 0;

        if (name->per_user == 0 || wanted + had <= name->per_user || wanted == 0)
            continue;
        return viommu_fail(
            error, wanted > name->per_user ? VIOMMU_ERROR_POLICY_REFUSED : VIOMMU_ERROR_BUSY,
            "hostdevs request %" G_GUINT64_FORMAT
            " of the site's '%s', and machines of user %u have %" G_GUINT64_FORMAT
            "; each user may have %" G_GUINT64_FORMAT " ([device %s] per-user in viommud.conf(5))%s",
            wanted, name->name, input->asker->uid, had, name->per_user, name->name,
            wanted > name->per_user ? "; request fewer" : "; stop one of these machines first");
    }
    return true;
}
