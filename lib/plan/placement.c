/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/placement-internal.h"

#include <string.h>

#include "lib/base/did-you-mean.h"

bool viommu_placed_is_interface(const ViommuPlacedDevice *device)
{
    return device->mac || device->vlan != VIOMMU_UNSET_NUMBER;
}

static void placed_free(void *data)
{
    ViommuPlacedDevice *placed = data;

    g_free(placed->address);
    g_free(placed->iommu);
    g_free(placed->host_driver);
    g_free(placed->cdev);
    g_free(placed->driver);
    g_free(placed->mac);
    g_strfreev(placed->uses);
    g_free(placed->backend_reason);
    g_free(placed);
}

void viommu_placement_init(ViommuPlacement *placement)
{
    *placement = (ViommuPlacement){.devices = g_ptr_array_new_with_free_func(placed_free),
                                   .width_bits = VIOMMU_UNSET_NUMBER,
                                   .shared_group = VIOMMU_UNSET_NUMBER};
}

void viommu_placement_clear(ViommuPlacement *placement)
{
    g_clear_pointer(&placement->devices, g_ptr_array_unref);
}

static void choose(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device)
{
    choosing->chosen[choosing->n_chosen] = device;
    choosing->entries[choosing->n_chosen++] = entry;
}

static bool has_group(const ViommuChoosing *choosing, const ViommuPciDevice *device, const void *data)
{
    return device->group != VIOMMU_UNSET_NUMBER;
}

static bool is_wanted(const ViommuChoosing *choosing, const ViommuPciDevice *device, const void *data)
{
    return viommu_placement_is_wanted(choosing->input, data, device);
}

/* --- The host as a whole --- */

/* A service may not see /sys: then nothing is known. */
static bool is_unseen(const ViommuTopology *topology)
{
    return !topology->present ||
           ((!topology->devices || topology->devices->len == 0) && topology->acpi == VIOMMU_UNSET);
}

static bool check_host(ViommuChoosing *choosing, GError **error)
{
    const ViommuTopology *topology = choosing->input->topology;
    g_autofree char *reason = NULL;

    if (viommu_topology_judge(topology, &reason) != VIOMMU_IOMMU_USE_USED)
        return viommu_plan_refuse(choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOST_IOMMU, error,
                                  "hostdevs need the host's own IOMMU, but it is not in use: %s", reason);
    if (topology->vfio == 0)
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_VFIO, error,
            "hostdevs need VFIO, but the kernel has no /dev/vfio/vfio: load the module vfio-pci (modprobe vfio-pci)");
    return true;
}

/* --- One device --- */

/* The text before a list of the devices that may be named. */
static const char *has(const ViommuChoosing *choosing)
{
    return viommu_asker_is_bound(choosing->input->asker) ? "the devices that you may have are"
                                                         : "its devices are";
}

static bool refuse_missing(ViommuChoosing *choosing, unsigned entry, const char *address, GError **error)
{
    g_autofree char *there = viommu_choosing_list(choosing, has_group, NULL);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new();
    const ViommuPciDevice *device;
    const char *near;

    for (guint i = 0; (device = viommu_choosing_device(choosing, i)); i++)
        if (!viommu_pci_device_is_bridge(device) && viommu_choosing_tells(choosing, device))
            g_ptr_array_add(addresses, device->address);
    near = viommu_nearest(address, (const char *const *)addresses->pdata, addresses->len);
    return viommu_plan_refuse(choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_MISSING, error,
                              "hostdevs[%u].address '%s': this host has no such PCI device%s%s%s; %s %s",
                              entry, address, near ? " (nearest: '" : "", near ? near : "", near ? "')" : "",
                              has(choosing), *there ? there : "none");
}

static bool check_device(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device,
                         GError **error)
{
    if (viommu_pci_device_is_bridge(device))
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_BRIDGE, error,
            "hostdevs[%u].address '%s' is a bridge, which stays with the host; name the devices behind it",
            entry, device->address);
    if (device->group == VIOMMU_UNSET_NUMBER)
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_GROUP, error,
            "hostdevs[%u].address '%s' (%s) is in no IOMMU group, because no IOMMU of the host covers it; name another device",
            entry, device->address, viommu_pci_device_noun(device));
    return viommu_obstacle_check_claim(choosing, entry, device, error);
}

static bool take_addressed(ViommuChoosing *choosing, unsigned entry, const ViommuRequestHostdev *asked,
                           GError **error)
{
    const ViommuPciDevice *device = viommu_topology_device(choosing->input->topology, asked->address);

    if (!device)
        return refuse_missing(choosing, entry, asked->address, error);
    if (!check_device(choosing, entry, device, error) ||
        !viommu_obstacle_check_driver(choosing, entry, device, error))
        return false;
    choose(choosing, entry, device);
    return true;
}

/* --- A kind of device --- */

static bool is_free(const ViommuChoosing *choosing, const ViommuPciDevice *device, ViommuObstacles obstacles)
{
    return !viommu_pci_device_is_bridge(device) && device->group != VIOMMU_UNSET_NUMBER &&
           (!choosing->input->unprivileged || device->usable == 1) &&
           viommu_placement_check_listed(choosing->input, device, NULL) &&
           !viommu_obstacle_is_in_use(choosing, device, obstacles) &&
           !viommu_choosing_has(choosing, device) && !viommu_obstacle_user(choosing, device) &&
           !viommu_obstacle_of_group(choosing, device, obstacles);
}

static bool can_pick(const ViommuChoosing *choosing, const ViommuPciDevice *device, ViommuObstacles obstacles)
{
    return is_free(choosing, device, obstacles) && !viommu_obstacle_reserved(choosing, device);
}

/* A device of @asked that only the firmware keeps from being chosen; NULL: none. */
static const ViommuPciDevice *kept_by_firmware(const ViommuChoosing *choosing,
                                               const ViommuRequestHostdev *asked)
{
    const ViommuPciDevice *device;

    for (guint i = 0; (device = viommu_choosing_device(choosing, i)); i++)
        if (is_wanted(choosing, device, asked) && is_free(choosing, device, VIOMMU_OBSTACLES_CLAIM) &&
            viommu_obstacle_reserved(choosing, device))
            return device;
    return NULL;
}

/* "0000:b0:00.0 by machine 'a'": devices of @asked that only other guests keep from being chosen;
 * *ret_n: how many.  Owned. */
static char *list_claimed(const ViommuChoosing *choosing, const ViommuRequestHostdev *asked, uint64_t *ret_n)
{
    GString *text = g_string_new(NULL);
    const ViommuPciDevice *device;

    *ret_n = 0;
    for (guint i = 0; (device = viommu_choosing_device(choosing, i)); i++) {
        const ViommuPciDevice *other = viommu_obstacle_of_group(choosing, device, VIOMMU_OBSTACLES_CLAIM);
        const ViommuClaim *claim = viommu_obstacle_claim(choosing, device);
        g_autofree char *who = NULL;

        if (!is_wanted(choosing, device, asked) || !can_pick(choosing, device, VIOMMU_OBSTACLES_HOST) ||
            can_pick(choosing, device, VIOMMU_OBSTACLES_CLAIM) || ++*ret_n > VIOMMU_PLACEMENT_SHOWN_MAX)
            continue;
        who = viommu_obstacle_claimant(claim ? claim : viommu_obstacle_claim(choosing, other));
        g_string_append_printf(text, "%s%s by %s", text->len ? ", " : "", device->address, who);
    }
    if (*ret_n > VIOMMU_PLACEMENT_SHOWN_MAX)
        g_string_append_printf(text, " and %" G_GUINT64_FORMAT " more", *ret_n - VIOMMU_PLACEMENT_SHOWN_MAX);
    return g_string_free(text, FALSE);
}

static bool refuse_kind(ViommuChoosing *choosing, unsigned entry, uint64_t found, GError **error)
{
    const ViommuRequestHostdev *asked = g_ptr_array_index(choosing->input->request->hostdevs, entry);
    uint64_t count = asked->count == VIOMMU_UNSET_NUMBER ? 1 : asked->count, claimed;
    g_autofree char *there = viommu_choosing_list(choosing, is_wanted, asked);
    g_autofree char *others = list_claimed(choosing, asked, &claimed);
    g_autofree char *kind = asked->name ? g_strdup_printf("the site's '%s'", asked->name)
                                        : g_strdup_printf("%s:%s", asked->vendor, asked->device);
    const ViommuPciDevice *kept = kept_by_firmware(choosing, asked);

    if (!*there) {
        g_autofree char *all = viommu_choosing_list(choosing, has_group, NULL);

        return viommu_plan_refuse(choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_MISSING,
                                  error, "hostdevs[%u]: this host has no PCI device %s%s; %s %s", entry,
                                  asked->name ? "of " : "", kind, has(choosing), *all ? all : "none");
    }
    if (found + claimed >= count)
        return viommu_plan_refuse(choosing->build, VIOMMU_ERROR_BUSY, VIOMMU_RULE_HOSTDEV_CLAIMED, error,
                                  "hostdevs[%u] requests %" G_GUINT64_FORMAT
                                  " of %s, but this host can assign %" G_GUINT64_FORMAT
                                  " now; in use: %s; stop one of these first",
                                  entry, count, kind, found, others);
    if (kept)
        return viommu_obstacle_check_reserved(choosing, kept, error);
    return viommu_plan_refuse(
        choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_KIND, error,
        "hostdevs[%u] requests %" G_GUINT64_FORMAT " of %s, but this host can assign %" G_GUINT64_FORMAT
        "; it has %s; a device is free when no driver of the host uses it or its group, and no other machine has it; %s",
        entry, count, kind, found, there,
        choosing->input->unprivileged
            ? "libvirt, which runs as an ordinary user here, also needs it bound to vfio-pci, with a node in /dev/vfio that this user may open"
            : "to take one from its driver, name its address");
}

static bool take_kind(ViommuChoosing *choosing, unsigned entry, const ViommuRequestHostdev *asked,
                      GError **error)
{
    uint64_t count = asked->count == VIOMMU_UNSET_NUMBER ? 1 : asked->count, found = 0;
    const ViommuPciDevice *device;

    for (guint i = 0; found < count && (device = viommu_choosing_device(choosing, i)); i++)
        if (is_wanted(choosing, device, asked) && can_pick(choosing, device, VIOMMU_OBSTACLES_CLAIM)) {
            choose(choosing, entry, device);
            found++;
        }
    return found == count || refuse_kind(choosing, entry, found, error);
}

/* --- The chosen devices --- */

static void place(ViommuChoosing *choosing, unsigned entry, const ViommuPciDevice *device)
{
    const ViommuRequestHostdev *asked = g_ptr_array_index(choosing->input->request->hostdevs, entry);
    const ViommuHostIommu *iommu = viommu_topology_iommu(choosing->input->topology, device->iommu);
    ViommuPlacedDevice *placed = g_new0(ViommuPlacedDevice, 1);

    *placed = (ViommuPlacedDevice){
        .address = g_strdup(device->address),
        .noun = viommu_pci_device_noun(device),
        .group = device->group,
        .node = device->node,
        .iommu = g_strdup(device->iommu),
        .iommu_kind = iommu ? iommu->kind : VIOMMU_UNSET,
        .width_bits = iommu ? iommu->width_bits : VIOMMU_UNSET_NUMBER,
        .host_driver = g_strdup(device->driver),
        .uses = g_strdupv(device->uses),
        .taken = !viommu_device_policy_is_free(device),
        .cdev = g_strdup(device->cdev),
        .usable = device->usable,
        .entry = entry,
        .driver = g_strdup(asked->driver),
        .boot_order = asked->boot_order,
        .rombar = asked->rombar,
        .mac = g_strdup(asked->mac),
        .vlan = asked->vlan,
        .is_function = device->physical_function,
    };
    g_ptr_array_add(choosing->build->plan->placement.devices, placed);
}

static void summarize(ViommuPlacement *placement)
{
    g_autoptr(GHashTable) iommus = g_hash_table_new(g_str_hash, g_str_equal);
    bool known = placement->devices->len > 0;
    uint64_t width = VIOMMU_UNSET_NUMBER;

    for (guint i = 0; i < placement->devices->len; i++) {
        ViommuPlacedDevice *placed = g_ptr_array_index(placement->devices, i);

        known = known && placed->width_bits != VIOMMU_UNSET_NUMBER;
        width = MIN(width, placed->width_bits);
        for (guint j = 0; j < i; j++)
            if (placed->group != VIOMMU_UNSET_NUMBER &&
                ((ViommuPlacedDevice *)g_ptr_array_index(placement->devices, j))->group == placed->group)
                placement->shared_group = placed->group;
        if (placed->iommu)
            g_hash_table_add(iommus, placed->iommu);
    }
    placement->width_bits = known ? width : VIOMMU_UNSET_NUMBER;
    placement->n_iommus = g_hash_table_size(iommus);
}

static bool take_unseen(ViommuChoosing *choosing, GError **error)
{
    const GPtrArray *asked = choosing->input->request->hostdevs;

    if (!choosing->input->blind)
        return viommu_plan_refuse(
            choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_UNSEEN, error,
            "hostdevs: viommud cannot see this host's PCI devices, and an unchecked one may be the host's own disk; let viommud read /sys (remove InaccessiblePaths=/sys and the like from its unit)");
    for (guint i = 0; i < asked->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(asked, i);
        ViommuPciDevice device = {.address = hostdev->address,
                                  .class_code = VIOMMU_UNSET_NUMBER,
                                  .usable = VIOMMU_UNSET,
                                  .node = VIOMMU_UNSET_NUMBER,
                                  .group = VIOMMU_UNSET_NUMBER};

        if (!hostdev->address)
            return viommu_plan_refuse(
                choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_UNSEEN, error,
                "hostdevs[%u] names a kind of device, but viommud cannot see this host's PCI devices; name an address",
                i);
        if (!viommu_obstacle_check_claim(choosing, i, &device, error))
            return false;
        place(choosing, i, &device);
    }
    choosing->build->plan->placement.unseen = true;
    return true;
}

/* The guest finds its devices in the request's order. */
static void place_all(ViommuChoosing *choosing)
{
    for (unsigned entry = 0; entry < choosing->input->request->hostdevs->len; entry++)
        for (unsigned i = 0; i < choosing->n_chosen; i++)
            if (choosing->entries[i] == entry)
                place(choosing, entry, choosing->chosen[i]);
}

/* Addresses first: a kind must not take a device that another entry names. */
static bool take_all(ViommuChoosing *choosing, GError **error)
{
    const GPtrArray *asked = choosing->input->request->hostdevs;

    for (int kinds = 0; kinds < 2; kinds++)
        for (guint i = 0; i < asked->len; i++) {
            const ViommuRequestHostdev *hostdev = g_ptr_array_index(asked, i);

            if ((hostdev->address == NULL) == (kinds == 1) &&
                !(kinds ? take_kind : take_addressed)(choosing, i, hostdev, error))
                return false;
        }
    place_all(choosing);
    for (unsigned i = 0; i < choosing->n_chosen; i++)
        if (!viommu_obstacle_check_reserved(choosing, choosing->chosen[i], error) ||
            !viommu_obstacle_check_uses(choosing, choosing->chosen[i], error) ||
            !viommu_obstacle_check_group(choosing, choosing->chosen[i], error))
            return false;
    choosing->build->rule = VIOMMU_RULE_HOSTDEV_POLICY;
    for (unsigned i = 0; i < choosing->n_chosen; i++)
        if (!viommu_placement_check_listed(choosing->input, choosing->chosen[i], error))
            return false;
    return viommu_placement_check_counts(choosing->input, choosing->chosen, choosing->n_chosen, error);
}

/* Refuses a name that the site does not define. */
static bool check_names(ViommuChoosing *choosing, GError **error)
{
    const GPtrArray *asked = choosing->input->request->hostdevs;
    const ViommuSite *site = choosing->input->site;

    for (guint i = 0; i < asked->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(asked, i);

        if (hostdev->name && !(site && viommu_site_device(site, hostdev->name)))
            return viommu_plan_refuse(
                choosing->build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_NAME, error,
                "hostdevs[%u].name '%s' is not a device name of this site: viommud.conf(5) has no [device %s]",
                i, hostdev->name, hostdev->name);
    }
    return true;
}

ViommuPlacementInput viommu_plan_placing(const ViommuPlanInput *input)
{
    return (ViommuPlacementInput){
        .request = input->request,
        .topology = &input->host->topology,
        .claims = input->claims,
        .n_claims = input->n_claims,
        .asker = input->asker,
        .site = input->policy->site,
        .blind = !input->asker || input->asker->kind == VIOMMU_ASKER_OWN,
        .unprivileged = input->host->unprivileged == 1,
    };
}

bool viommu_plan_settle_placement(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlacementInput input = viommu_plan_placing(build->input);
    ViommuChoosing choosing = {.build = build, .input = &input};

    if (!input.request->hostdevs || input.request->hostdevs->len == 0)
        return true;
    if (!check_names(&choosing, error))
        return false;
    if (is_unseen(input.topology) ? !take_unseen(&choosing, error)
                                  : !check_host(&choosing, error) || !take_all(&choosing, error))
        return false;
    summarize(&build->plan->placement);
    return true;
}

bool viommu_placement_check_again(const ViommuPlacementInput *input, const ViommuPlacement *placement,
                                  GError **error)
{
    ViommuPlanBuild build = {.rule = VIOMMU_RULE_LAST}; /* the rule is not used here */
    ViommuChoosing choosing = {.build = &build, .input = input};

    for (guint i = 0; i < placement->devices->len; i++) {
        const ViommuPlacedDevice *placed = g_ptr_array_index(placement->devices, i);
        const ViommuPciDevice *device = viommu_topology_device(input->topology, placed->address);

        if (!device)
            return viommu_plan_refuse(
                choosing.build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_MISSING, error,
                "hostdevs[%u]: '%s' is no longer present on this host; request the machine again",
                placed->entry, placed->address);
        /* Another device may be at its address by now. */
        if (!viommu_obstacle_check_driver(&choosing, placed->entry, device, error) ||
            !viommu_obstacle_check_uses(&choosing, device, error) ||
            !viommu_placement_check_listed(input, device, error))
            return false;
    }
    return true;
}
