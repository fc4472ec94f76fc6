/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* placement-obstacles: what prevents the assignment of a device: another guest, the device's
 * driver, the host's own use of the device, the rest of its IOMMU group.  Chooses nothing. */
#include "lib/plan/placement-internal.h"
#include "lib/request/selector.h"

/* --- Naming the host's devices --- */

const ViommuPciDevice *viommu_choosing_device(const ViommuChoosing *choosing, guint i)
{
    const GPtrArray *devices = choosing->input->topology->devices;

    return devices && i < devices->len ? g_ptr_array_index(devices, i) : NULL;
}

/* Whether a message may name the device: only if the asker may have it. */
bool viommu_choosing_tells(const ViommuChoosing *choosing, const ViommuPciDevice *device)
{
    return viommu_device_policy_allows(choosing->input->site, choosing->input->asker, device);
}

bool viommu_choosing_has(const ViommuChoosing *choosing, const ViommuPciDevice *device)
{
    for (unsigned i = 0; i < choosing->n_chosen; i++)
        if (choosing->chosen[i] == device)
            return true;
    return false;
}

/* The endpoints that pass the check, in one line. Owned. */
char *viommu_choosing_list(const ViommuChoosing *choosing, ViommuDeviceFilter filter, const void *data)
{
    GString *text = g_string_new(NULL);
    const ViommuPciDevice *device;
    unsigned n = 0;

    for (guint i = 0; (device = viommu_choosing_device(choosing, i)); i++)
        if (!viommu_pci_device_is_bridge(device) && viommu_choosing_tells(choosing, device) &&
            filter(choosing, device, data) && n++ < VIOMMU_PLACEMENT_SHOWN_MAX)
            viommu_placement_describe(text, device);
    if (n > VIOMMU_PLACEMENT_SHOWN_MAX)
        g_string_append_printf(text, " and %u more", n - VIOMMU_PLACEMENT_SHOWN_MAX);
    return g_string_free(text, FALSE);
}

/* --- Other guests --- */

static const ViommuClaim *claim_on(const ViommuChoosing *choosing, const char *address)
{
    for (size_t i = 0; i < choosing->input->n_claims; i++)
        if (g_str_equal(choosing->input->claims[i].address, address))
            return &choosing->input->claims[i];
    return NULL;
}

/* The claim on a virtual function of @device at or after index *@at, and *@at of that function;
 * NULL: none. */
static const ViommuClaim *claim_below(const ViommuChoosing *choosing, const ViommuPciDevice *device,
                                      guint *at)
{
    const ViommuPciDevice *other;

    for (; (other = viommu_choosing_device(choosing, *at)); (*at)++) {
        const ViommuClaim *claim = g_strcmp0(other->physical_function, device->address) == 0
                                       ? claim_on(choosing, other->address)
                                       : NULL;

        if (claim)
            return claim;
    }
    return NULL;
}

const ViommuClaim *viommu_obstacle_claim(const ViommuChoosing *choosing, const ViommuPciDevice *device)
{
    const ViommuClaim *claim = claim_on(choosing, device->address);
    guint at = 0;

    return claim ? claim : claim_below(choosing, device, &at);
}

/* Owned. */
char *viommu_obstacle_claimant(const ViommuClaim *claim)
{
    return claim->machine ? g_strdup_printf("machine '%s'", claim->machine)
                          : g_strdup("a guest that viommud did not make");
}

/* "0000:3b:02.0 by machine 'a'": the virtual functions of @device that guests have. Owned. */
static char *list_below(const ViommuChoosing *choosing, const ViommuPciDevice *device)
{
    GString *text = g_string_new(NULL);
    const ViommuClaim *claim;
    unsigned n = 0;

    for (guint at = 0; (claim = claim_below(choosing, device, &at)); at++) {
        g_autofree char *who = viommu_obstacle_claimant(claim);

        if (viommu_choosing_tells(choosing, viommu_choosing_device(choosing, at)) &&
            n++ < VIOMMU_PLACEMENT_SHOWN_MAX)
            g_string_append_printf(text, "%s%s by %s", text->len ? ", " : "", claim->address, who);
    }
    if (text->len == 0)
        g_string_append(text, "some of them by others");
    else if (n > VIOMMU_PLACEMENT_SHOWN_MAX)
        g_string_append_printf(text, " and %u more", n - VIOMMU_PLACEMENT_SHOWN_MAX);
    return g_string_free(text, FALSE);
}

bool viommu_obstacle_check_claim(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device,
                                 GError **error)
{
    const ViommuClaim *claim = claim_on(choosing, device->address);
    g_autofree char *who = claim ? viommu_obstacle_claimant(claim) : NULL, *below = NULL;
    guint at = 0;

    if (claim)
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_BUSY, VIOMMU_RULE_HOSTDEV_CLAIMED, error,
            "hostdevs[%u].address '%s' is in use by %s; stop it first, or name another device", entry,
            device->address, who);
    if (!claim_below(choosing, device, &at))
        return true;
    below = list_below(choosing, device);
    return viommu_plan_refuse(
        choosing->build, VIOMMU_ERROR_BUSY, VIOMMU_RULE_HOSTDEV_CLAIMED, error,
        "hostdevs[%u].address '%s' is a physical function, whose virtual functions would vanish with its driver, and guests use these: %s; stop them first, or name a virtual function",
        entry, device->address, below);
}

/* --- The host --- */

/* KubeVirt's rule: a device with a driver belongs to the host, until the administrator binds it to
 * VFIO. */
bool viommu_obstacle_check_driver(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device,
                                  GError **error)
{
    const ViommuSite *site = choosing->input->site;
    g_autofree char *way_out = viommu_placement_way_out(
        choosing->input, g_ptr_array_index(choosing->input->request->hostdevs, entry));

    return !viommu_asker_is_bound(choosing->input->asker) || viommu_device_policy_is_free(device) ||
           (site && site->take_from_driver) ||
           viommu_device_policy_is_granted(choosing->input->asker, device) ||
           viommu_plan_refuse(
               choosing->build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_HOSTDEV_POLICY, error,
               "hostdevs[%u].address '%s' is bound to the host's driver '%s', and users other than root may not take it from that driver ([devices] take-from-driver=no in viommud.conf(5)); have root bind it to vfio-pci%s",
               entry, device->address, device->driver, way_out);
}

/* Only root may insist, and only if the site allows it. */
static bool may_take_used(const ViommuChoosing *choosing)
{
    return choosing->input->site && choosing->input->site->root_takes_used &&
           !viommu_asker_is_bound(choosing->input->asker);
}

/* A device of the group of @device, bridges included, that the host itself uses; NULL: none. */
const ViommuPciDevice *viommu_obstacle_user(const ViommuChoosing *choosing, const ViommuPciDevice *device)
{
    const ViommuPciDevice *other;

    if (device->uses)
        return device;
    for (guint i = 0; device->group != VIOMMU_UNSET_NUMBER && (other = viommu_choosing_device(choosing, i));
         i++)
        if (other->group == device->group && other->uses)
            return other;
    return NULL;
}

bool viommu_obstacle_check_uses(ViommuChoosing *choosing, const ViommuPciDevice *device, GError **error)
{
    const ViommuPciDevice *used = viommu_obstacle_user(choosing, device);
    bool root = !viommu_asker_is_bound(choosing->input->asker);
    const char *remedy = root
                             ? "end that use, or let root take it by [devices] in-use=root in viommud.conf(5)"
                             : "ask this host's administrator to end that use";
    g_autofree char *uses = NULL;

    if (!used || may_take_used(choosing))
        return true;
    uses = g_strjoinv("; ", used->uses);
    if (used == device)
        return viommu_plan_refuse(choosing->build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_HOSTDEV_IN_USE,
                                  error, "'%s' (%s) is in use by the host itself: %s; %s", device->address,
                                  viommu_pci_device_noun(device), uses, remedy);
    if (!viommu_choosing_tells(choosing, used))
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_HOSTDEV_IN_USE, error,
            "'%s' shares IOMMU group %" G_GUINT64_FORMAT
            " with a device that the host itself uses, and a group is assigned as a whole; %s",
            device->address, device->group, remedy);
    return viommu_plan_refuse(
        choosing->build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_HOSTDEV_IN_USE, error,
        "'%s' shares IOMMU group %" G_GUINT64_FORMAT
        " with '%s', which is in use by the host itself: %s; a group is assigned as a whole; %s",
        device->address, device->group, used->address, uses, remedy);
}

/* --- The group --- */

const ViommuPciDevice *viommu_obstacle_reserved(const ViommuChoosing *choosing, const ViommuPciDevice *device)
{
    const ViommuPciDevice *other;

    if (device->direct_regions)
        return device;
    for (guint i = 0; device->group != VIOMMU_UNSET_NUMBER && (other = viommu_choosing_device(choosing, i));
         i++)
        if (other->group == device->group && other->direct_regions)
            return other;
    return NULL;
}

/* Linux 6.12 drivers/iommu/iommu.c (iommu_group_claim_dma_owner wants no require_direct);
 * drivers/iommu/intel/iommu.c before that (device_is_rmrr_locked). */
bool viommu_obstacle_check_reserved(ViommuChoosing *choosing, const ViommuPciDevice *device, GError **error)
{
    const ViommuPciDevice *reserved = viommu_obstacle_reserved(choosing, device);
    g_autofree char *regions = reserved ? g_strjoinv(", ", reserved->direct_regions) : NULL;

    return !reserved ||
           viommu_plan_refuse(
               choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_RESERVED, error,
               "'%s' (%s) cannot be assigned: the firmware keeps memory for IOMMU group %" G_GUINT64_FORMAT
               " (RMRR %s), and the kernel gives such a group to no guest; in the firmware setup, switch off the feature that shares this memory (HPE: Shared Memory Features of the device's slot, or conrep with Endpoints_Excluded in the slot's RMRDS section; Dell and others: ask how to exclude the slot from the RMRR), or name another device",
               device->address, viommu_pci_device_noun(device), device->group, regions);
}

static bool is_of_group(const ViommuChoosing *choosing, const ViommuPciDevice *device, const void *data)
{
    return device->group == *(const uint64_t *)data;
}

bool viommu_obstacle_is_in_use(const ViommuChoosing *choosing, const ViommuPciDevice *device,
                               ViommuObstacles obstacles)
{
    return !viommu_device_policy_is_free(device) ||
           (obstacles == VIOMMU_OBSTACLES_CLAIM && viommu_obstacle_claim(choosing, device));
}

/* The device of @device's group that prevents its assignment; NULL: none. */
const ViommuPciDevice *viommu_obstacle_of_group(const ViommuChoosing *choosing, const ViommuPciDevice *device,
                                                ViommuObstacles obstacles)
{
    const ViommuPciDevice *other;

    for (guint i = 0; (other = viommu_choosing_device(choosing, i)); i++)
        if (other != device && other->group == device->group && !viommu_pci_device_is_bridge(other) &&
            !viommu_choosing_has(choosing, other) && viommu_obstacle_is_in_use(choosing, other, obstacles))
            return other;
    return NULL;
}

/* Whether the request wants an IOMMU: behind one, several devices of one group cannot be
 * assigned. */
static bool wants_iommu(const ViommuChoosing *choosing)
{
    ViommuSelector selector;

    return viommu_selector_read(&choosing->input->request->iommu, &selector, NULL) &&
           (selector.kind == VIOMMU_SELECTOR_ANY || selector.kind == VIOMMU_SELECTOR_NAMED);
}

/* A request need not name bridges: VFIO leaves them to the host. */
bool viommu_obstacle_check_group(ViommuChoosing *choosing, const ViommuPciDevice *device, GError **error)
{
    const ViommuPciDevice *other = viommu_obstacle_of_group(choosing, device, VIOMMU_OBSTACLES_CLAIM);
    const ViommuClaim *claim = other ? viommu_obstacle_claim(choosing, other) : NULL;
    g_autofree char *members = NULL, *who = claim ? viommu_obstacle_claimant(claim) : NULL;

    if (!other)
        return true;
    if (!viommu_choosing_tells(choosing, other))
        return viommu_plan_refuse(
            choosing->build, claim ? VIOMMU_ERROR_BUSY : VIOMMU_ERROR_NOT_SUPPORTED,
            claim ? VIOMMU_RULE_HOSTDEV_CLAIMED : VIOMMU_RULE_HOSTDEV_GROUP, error,
            "'%s' shares IOMMU group %" G_GUINT64_FORMAT
            " with a device that %s uses, and a group is assigned as a whole; request another device, or ask this host's administrator",
            device->address, device->group, claim ? "another guest" : "the host");
    if (claim)
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_BUSY, VIOMMU_RULE_HOSTDEV_CLAIMED, error,
            "'%s' is in IOMMU group %" G_GUINT64_FORMAT
            " with '%s', which is in use by %s, and a group is assigned as a whole; stop it first",
            device->address, device->group, other->address, who);
    members = viommu_choosing_list(choosing, is_of_group, &device->group);
    return viommu_plan_refuse(
        choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_GROUP, error,
        "IOMMU group %" G_GUINT64_FORMAT
        " of '%s' is not viable: the host uses '%s', which is in it (driver %s), and a group is assigned as a whole; its devices are %s; detach those with a driver from the host (virsh nodedev-detach pci_...)%s",
        device->group, device->address, other->address, other->driver ? other->driver : "none", members,
        wants_iommu(choosing) ? "" : ", or add them to hostdevs");
}
