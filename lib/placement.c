/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/placement.h"

#include <string.h>

#include "lib/error.h"
#include "lib/nearest.h"

/* Enough to choose from, and still one message. */
#define SHOWN_MAX 12u

typedef struct Choosing {
    const ViommuPlacementInput *input;
    ViommuPlacement *placement;
    const ViommuPciDevice **chosen; /* by entry of the request for addresses, any order for kinds */
    unsigned n_chosen;
    const char *rule;
} Choosing;

static bool refuse(Choosing *choosing, const char *rule, int code, GError **error, const char *format, ...)
    G_GNUC_PRINTF(5, 6);

static bool refuse(Choosing *choosing, const char *rule, int code, GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    choosing->rule = rule;
    g_set_error_literal(error, VIOMMU_ERROR, code, text);
    return false;
}

static void placed_free(void *data)
{
    ViommuPlacedDevice *placed = data;

    g_free(placed->address);
    g_free(placed->iommu);
    g_free(placed->host_driver);
    g_free(placed->cdev);
    g_free(placed->driver);
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

/* --- What is said of the host's devices --- */

static const ViommuPciDevice *device_at(const Choosing *choosing, guint i)
{
    const GPtrArray *devices = choosing->input->topology->devices;

    return devices && i < devices->len ? g_ptr_array_index(devices, i) : NULL;
}

/* VFIO lets alone what has no driver, what is its own, and what holds a device only to keep others off. */
static bool is_free(const ViommuPciDevice *device)
{
    return !device->driver || strstr(device->driver, "vfio") || g_str_equal(device->driver, "pci-stub");
}

/* NULL: nobody has it. */
static const ViommuClaim *claim_on(const Choosing *choosing, const ViommuPciDevice *device)
{
    for (size_t i = 0; i < choosing->input->n_claims; i++)
        if (g_str_equal(choosing->input->claims[i].address, device->address))
            return &choosing->input->claims[i];
    return NULL;
}

/* Owned. */
static char *claimant(const ViommuClaim *claim)
{
    return claim->machine ? g_strdup_printf("machine '%s'", claim->machine)
                          : g_strdup("a guest that viommud did not make");
}

static bool is_chosen(const Choosing *choosing, const ViommuPciDevice *device)
{
    for (unsigned i = 0; i < choosing->n_chosen; i++)
        if (choosing->chosen[i] == device)
            return true;
    return false;
}

static void describe(GString *text, const ViommuPciDevice *device)
{
    g_string_append_printf(text, "%s%s (%s, %s%s)", text->len ? ", " : "", device->address,
                           viommu_pci_device_noun(device), device->driver ? "driver " : "no driver",
                           device->driver ? device->driver : "");
}

typedef bool (*Filter)(const ViommuPciDevice *device, const void *data);

/* The endpoints that pass, in one line. Owned. */
static char *list_devices(const Choosing *choosing, Filter filter, const void *data)
{
    GString *text = g_string_new(NULL);
    const ViommuPciDevice *device;
    unsigned n = 0;

    for (guint i = 0; (device = device_at(choosing, i)); i++)
        if (!viommu_pci_device_is_bridge(device) && filter(device, data) && n++ < SHOWN_MAX)
            describe(text, device);
    if (n > SHOWN_MAX)
        g_string_append_printf(text, " and %u more", n - SHOWN_MAX);
    return g_string_free(text, FALSE);
}

static bool has_group(const ViommuPciDevice *device, const void *data)
{
    return device->group != VIOMMU_UNSET_NUMBER;
}

static bool is_of_group(const ViommuPciDevice *device, const void *data)
{
    return device->group == *(const uint64_t *)data;
}

static bool is_of_kind(const ViommuPciDevice *device, const void *data)
{
    const ViommuRequestHostdev *asked = data;

    return device->vendor == g_ascii_strtoull(asked->vendor, NULL, 16) &&
           device->device == g_ascii_strtoull(asked->device, NULL, 16);
}

/* --- The host as a whole --- */

/* A service may see nothing of /sys: that is no "no". */
static bool is_unseen(const ViommuTopology *topology)
{
    return !topology->present ||
           ((!topology->devices || topology->devices->len == 0) && topology->acpi == VIOMMU_UNSET);
}

static bool check_host(Choosing *choosing, GError **error)
{
    const ViommuTopology *topology = choosing->input->topology;
    g_autofree char *reason = NULL;

    if (viommu_topology_judge(topology, &reason) != VIOMMU_IOMMU_USE_USED)
        return refuse(choosing, "host-iommu", VIOMMU_ERROR_NOT_SUPPORTED, error,
                      "hostdevs need an IOMMU of the host itself, in use: %s", reason);
    if (topology->vfio == 0)
        return refuse(
            choosing, "vfio", VIOMMU_ERROR_NOT_SUPPORTED, error,
            "hostdevs need VFIO, but the kernel has no /dev/vfio/vfio: load the module vfio-pci (modprobe "
            "vfio-pci)");
    return true;
}

/* --- One device --- */

static bool refuse_missing(Choosing *choosing, unsigned entry, const char *address, GError **error)
{
    g_autofree char *there = list_devices(choosing, has_group, NULL);
    g_autoptr(GPtrArray) addresses = g_ptr_array_new();
    const ViommuPciDevice *device;
    const char *near;

    for (guint i = 0; (device = device_at(choosing, i)); i++)
        if (!viommu_pci_device_is_bridge(device))
            g_ptr_array_add(addresses, device->address);
    near = viommu_nearest(address, (const char *const *)addresses->pdata, addresses->len);
    return refuse(choosing, "hostdev-missing", VIOMMU_ERROR_NOT_SUPPORTED, error,
                  "hostdevs[%u].address '%s': this host has no such PCI device%s%s%s; it has %s", entry,
                  address, near ? " (nearest: '" : "", near ? near : "", near ? "')" : "", there);
}

static bool check_unclaimed(Choosing *choosing, unsigned entry, const ViommuPciDevice *device, GError **error)
{
    const ViommuClaim *claim = claim_on(choosing, device);
    g_autofree char *who = claim ? claimant(claim) : NULL;

    return !claim || refuse(choosing, "hostdev-claimed", VIOMMU_ERROR_BUSY, error,
                            "hostdevs[%u].address '%s' is in use by %s; stop that one first, or name another",
                            entry, device->address, who);
}

static bool check_device(Choosing *choosing, unsigned entry, const ViommuPciDevice *device, GError **error)
{
    if (viommu_pci_device_is_bridge(device))
        return refuse(
            choosing, "hostdev-bridge", VIOMMU_ERROR_NOT_SUPPORTED, error,
            "hostdevs[%u].address '%s' is a bridge, which stays with the host; name the devices behind it",
            entry, device->address);
    if (device->group == VIOMMU_UNSET_NUMBER)
        return refuse(
            choosing, "hostdev-group", VIOMMU_ERROR_NOT_SUPPORTED, error,
            "hostdevs[%u].address '%s' (%s) is in no IOMMU group: no IOMMU of the host stands before it",
            entry, device->address, viommu_pci_device_noun(device));
    return check_unclaimed(choosing, entry, device, error);
}

static bool take_addressed(Choosing *choosing, unsigned entry, const ViommuRequestHostdev *asked,
                           GError **error)
{
    const ViommuPciDevice *device = viommu_topology_device(choosing->input->topology, asked->address);

    if (!device)
        return refuse_missing(choosing, entry, asked->address, error);
    if (!check_device(choosing, entry, device, error))
        return false;
    choosing->chosen[choosing->n_chosen++] = device;
    return true;
}

/* --- Groups --- */

typedef enum Obstacles {
    OBSTACLES_HOST,  /* what the host's own drivers use */
    OBSTACLES_CLAIM, /* that, and what others have */
} Obstacles;

static bool is_in_use(const Choosing *choosing, const ViommuPciDevice *device, Obstacles obstacles)
{
    return !is_free(device) || (obstacles == OBSTACLES_CLAIM && claim_on(choosing, device));
}

/* Who of the group of @device stands against assigning it; NULL: nobody. */
static const ViommuPciDevice *obstacle(const Choosing *choosing, const ViommuPciDevice *device,
                                       Obstacles obstacles)
{
    const ViommuPciDevice *other;

    for (guint i = 0; (other = device_at(choosing, i)); i++)
        if (other != device && other->group == device->group && !viommu_pci_device_is_bridge(other) &&
            !is_chosen(choosing, other) && is_in_use(choosing, other, obstacles))
            return other;
    return NULL;
}

/* Bridges are never asked for: VFIO leaves them to the host. */
static bool check_group(Choosing *choosing, const ViommuPciDevice *device, GError **error)
{
    const ViommuPciDevice *other = obstacle(choosing, device, OBSTACLES_CLAIM);
    const ViommuClaim *claim = other ? claim_on(choosing, other) : NULL;
    g_autofree char *members = NULL, *who = claim ? claimant(claim) : NULL;

    if (!other)
        return true;
    if (claim)
        return refuse(
            choosing, "hostdev-claimed", VIOMMU_ERROR_BUSY, error,
            "'%s' is in IOMMU group %" G_GUINT64_FORMAT
            " with '%s', which is in use by %s, and a group is assigned as a whole; stop that one first",
            device->address, device->group, other->address, who);
    members = list_devices(choosing, is_of_group, &device->group);
    return refuse(
        choosing, "hostdev-group", VIOMMU_ERROR_NOT_SUPPORTED, error,
        "IOMMU group %" G_GUINT64_FORMAT
        " of '%s' is not viable: the host uses '%s' of it (driver %s), and a group is assigned as a whole; "
        "its devices are %s; add those with a driver to hostdevs, too, or take them from the host (virsh "
        "nodedev-detach pci_...)",
        device->group, device->address, other->address, other->driver ? other->driver : "none", members);
}

/* --- A kind of device --- */

static bool can_pick(const Choosing *choosing, const ViommuPciDevice *device, Obstacles obstacles)
{
    return !viommu_pci_device_is_bridge(device) && device->group != VIOMMU_UNSET_NUMBER &&
           (!choosing->input->unprivileged || device->usable == 1) &&
           !is_in_use(choosing, device, obstacles) && !is_chosen(choosing, device) &&
           !obstacle(choosing, device, obstacles);
}

/* "0000:b0:00.0 by machine 'a'": of those of @asked that only others keep from being picked; *ret_n: how many. Owned. */
static char *list_claimed(const Choosing *choosing, const ViommuRequestHostdev *asked, uint64_t *ret_n)
{
    GString *text = g_string_new(NULL);
    const ViommuPciDevice *device;

    *ret_n = 0;
    for (guint i = 0; (device = device_at(choosing, i)); i++) {
        const ViommuPciDevice *other = obstacle(choosing, device, OBSTACLES_CLAIM);
        const ViommuClaim *claim = claim_on(choosing, device);
        g_autofree char *who = NULL;

        if (!is_of_kind(device, asked) || !can_pick(choosing, device, OBSTACLES_HOST) ||
            can_pick(choosing, device, OBSTACLES_CLAIM) || ++*ret_n > SHOWN_MAX)
            continue;
        who = claimant(claim ? claim : claim_on(choosing, other));
        g_string_append_printf(text, "%s%s by %s", text->len ? ", " : "", device->address, who);
    }
    if (*ret_n > SHOWN_MAX)
        g_string_append_printf(text, " and %" G_GUINT64_FORMAT " more", *ret_n - SHOWN_MAX);
    return g_string_free(text, FALSE);
}

static bool refuse_kind(Choosing *choosing, unsigned entry, uint64_t found, GError **error)
{
    const ViommuRequestHostdev *asked = g_ptr_array_index(choosing->input->request->hostdevs, entry);
    uint64_t count = asked->count == VIOMMU_UNSET_NUMBER ? 1 : asked->count, claimed;
    g_autofree char *there = list_devices(choosing, is_of_kind, asked);
    g_autofree char *others = list_claimed(choosing, asked, &claimed);

    if (!*there) {
        g_autofree char *all = list_devices(choosing, has_group, NULL);

        return refuse(choosing, "hostdev-missing", VIOMMU_ERROR_NOT_SUPPORTED, error,
                      "hostdevs[%u]: this host has no PCI device %s:%s; it has %s", entry, asked->vendor,
                      asked->device, all);
    }
    if (found + claimed >= count)
        return refuse(choosing, "hostdev-claimed", VIOMMU_ERROR_BUSY, error,
                      "hostdevs[%u]: %" G_GUINT64_FORMAT " of %s:%s are wanted, but %" G_GUINT64_FORMAT
                      " can be had now; in use are %s; stop one of them first",
                      entry, count, asked->vendor, asked->device, found, others);
    return refuse(
        choosing, "hostdev-kind", VIOMMU_ERROR_NOT_SUPPORTED, error,
        "hostdevs[%u]: %" G_GUINT64_FORMAT " of %s:%s are wanted, but %" G_GUINT64_FORMAT
        " can be had; this host has %s; one is free when no driver of the host uses it or its group, and no "
        "other machine has it; %s",
        entry, count, asked->vendor, asked->device, found, there,
        choosing->input->unprivileged
            ? "and libvirt, which runs as an ordinary user here, needs it bound to vfio-pci, with a node in "
              "/dev/vfio that this user may open"
            : "to take one from its driver name its address");
}

static bool take_kind(Choosing *choosing, unsigned entry, const ViommuRequestHostdev *asked, GError **error)
{
    uint64_t count = asked->count == VIOMMU_UNSET_NUMBER ? 1 : asked->count, found = 0;
    const ViommuPciDevice *device;

    for (guint i = 0; found < count && (device = device_at(choosing, i)); i++)
        if (is_of_kind(device, asked) && can_pick(choosing, device, OBSTACLES_CLAIM)) {
            choosing->chosen[choosing->n_chosen++] = device;
            found++;
        }
    return found == count || refuse_kind(choosing, entry, found, error);
}

/* --- What is known of those chosen --- */

static void place(Choosing *choosing, unsigned entry, const ViommuPciDevice *device)
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
        .taken = !is_free(device),
        .cdev = g_strdup(device->cdev),
        .usable = device->usable,
        .entry = entry,
        .driver = g_strdup(asked->driver),
    };
    g_ptr_array_add(choosing->placement->devices, placed);
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

static bool take_unseen(Choosing *choosing, GError **error)
{
    const GPtrArray *asked = choosing->input->request->hostdevs;

    if (!choosing->input->blind)
        return refuse(choosing, "hostdev-unseen", VIOMMU_ERROR_NOT_SUPPORTED, error,
                      "hostdevs: nothing of this host's PCI devices can be seen from here, and one that is "
                      "not looked at may be the host's own disk; let viommud see /sys (a service: without "
                      "InaccessiblePaths=/sys and the like)");
    for (guint i = 0; i < asked->len; i++) {
        const ViommuRequestHostdev *hostdev = g_ptr_array_index(asked, i);
        ViommuPciDevice device = {.address = hostdev->address,
                                  .class_code = VIOMMU_UNSET_NUMBER,
                                  .usable = VIOMMU_UNSET,
                                  .node = VIOMMU_UNSET_NUMBER,
                                  .group = VIOMMU_UNSET_NUMBER};

        if (!hostdev->address)
            return refuse(
                choosing, "hostdev-unseen", VIOMMU_ERROR_NOT_SUPPORTED, error,
                "hostdevs[%u] names a kind of device, but nothing of this host's PCI devices can be seen "
                "from here; name an address",
                i);
        if (!check_unclaimed(choosing, i, &device, error))
            return false;
        place(choosing, i, &device);
    }
    choosing->placement->unseen = true;
    return true;
}

/* Addresses first: a kind must not take what is named elsewhere. */
static bool take_all(Choosing *choosing, GError **error)
{
    const GPtrArray *asked = choosing->input->request->hostdevs;

    for (int kinds = 0; kinds < 2; kinds++)
        for (guint i = 0; i < asked->len; i++) {
            const ViommuRequestHostdev *hostdev = g_ptr_array_index(asked, i);
            unsigned first = choosing->n_chosen;

            if ((hostdev->address == NULL) != (kinds == 1))
                continue;
            if (!(kinds ? take_kind : take_addressed)(choosing, i, hostdev, error))
                return false;
            for (unsigned j = first; j < choosing->n_chosen; j++)
                place(choosing, i, choosing->chosen[j]);
        }
    for (unsigned i = 0; i < choosing->n_chosen; i++)
        if (!check_group(choosing, choosing->chosen[i], error))
            return false;
    return true;
}

bool viommu_placement_choose(const ViommuPlacementInput *input, ViommuPlacement *placement,
                             const char **ret_rule, GError **error)
{
    const ViommuPciDevice *chosen[VIOMMU_HOSTDEVS_MAX];
    Choosing choosing = {.input = input, .placement = placement, .chosen = chosen};
    bool done;

    if (!input->request->hostdevs || input->request->hostdevs->len == 0)
        return true;
    done = is_unseen(input->topology) ? take_unseen(&choosing, error)
                                      : check_host(&choosing, error) && take_all(&choosing, error);
    if (done)
        summarize(placement);
    else
        *ret_rule = choosing.rule;
    return done;
}
