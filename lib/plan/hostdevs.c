/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostdevs: what a plan settles for assigned devices before its IOMMU is chosen, and its notes
 * about them afterwards.  Knows no XML. */
#include <string.h>

#include "lib/base/pci-address.h"
#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

/* --- Before the IOMMU --- */

static bool check_drivers(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *devices = build->plan->placement.devices;
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = NULL, *had = NULL;

    if (devices->len == 0 || viommu_emulator_has(build->emulator, libvirt, VIOMMU_FACT_HOSTDEV_DRIVER))
        return true;
    needs = viommu_fact_needs(VIOMMU_FACT_HOSTDEV_DRIVER);
    had = viommu_fact_had(VIOMMU_FACT_HOSTDEV_DRIVER, libvirt, build->emulator->qemu);
    for (guint i = 0; i < devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(devices, i);

        if (device->driver)
            return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_DRIVER, error,
                                      "hostdevs[%u].driver '%s' needs %s, but %s; leave it out",
                                      device->entry, device->driver, needs, had);
    }
    return true;
}

/* An ordinary user's libvirt neither binds drivers nor changes device nodes: root must have done
 * so. */
static bool check_nodes(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlacement *placement = &build->plan->placement;

    for (guint i = 0; build->input->host->unprivileged == 1 && i < placement->devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);
        g_autofree char *name = g_strcanon(g_strdup(device->address), "0123456789abcdef", '_');

        device->unmanaged = true;
        if (device->usable == 1 || placement->unseen)
            continue;
        if (!device->host_driver || !strstr(device->host_driver, "vfio"))
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_NODE, error,
                "hostdevs[%u]: '%s' (driver %s) is not bound to VFIO, and libvirt cannot bind it, because it runs as an ordinary user here; as root run 'virsh nodedev-detach pci_%s' and give that user the device's node in /dev/vfio, or use qemu:///system",
                device->entry, device->address, device->host_driver ? device->host_driver : "none", name);
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_NODE, error,
            "hostdevs[%u]: the user that libvirt runs as may not open /dev/vfio/%" G_GUINT64_FORMAT
            ", the group of '%s'; as root give it to that user (chown, or a udev rule for SUBSYSTEM==\"vfio\"), or use qemu:///system",
            device->entry, device->group, device->address);
    }
    return true;
}

/* libvirt sets both by the physical function of the device, for which it must be root. */
static bool check_interfaces(ViommuPlanBuild *build, GError **error)
{
    const ViommuPlacement *placement = &build->plan->placement;

    for (guint i = 0; i < placement->devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(placement->devices, i);
        const char *key = device->mac ? "mac" : "vlan";

        if (!viommu_placed_is_interface(device))
            continue;
        if (build->input->host->unprivileged == 1)
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_NETWORK, error,
                "hostdevs[%u].%s: only root can set it, and libvirt runs as an ordinary user here; as root run 'ip link set DEVICE vf NUMBER %s VALUE' for the physical function and omit the key, or use qemu:///system",
                device->entry, key, key);
        if (!device->is_function && !placement->unseen)
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_HOSTDEV_NETWORK, error,
                "hostdevs[%u].%s: '%s' (%s) is no virtual function, and only those get a MAC address and a VLAN from the host; let the guest set them, or name a virtual function ('viommuctl host' shows them)",
                device->entry, key, device->address, device->noun);
    }
    return true;
}

/* The name of the module with the parameter, and its role for @device. */
static const char *backend_module(const ViommuPlacedDevice *device)
{
    return device->iommufd ? "iommufd" : "vfio_iommu_type1";
}

/* Without interrupt remapping a guest's device can raise any interrupt of the host, and the kernel
 * assigns it only if its administrator has allowed that: Linux 6.12 drivers/vfio/vfio_iommu_type1.c
 * (vfio_iommu_type1_attach_group), drivers/iommu/iommufd/device.c. */
static bool check_interrupts(ViommuPlanBuild *build, GError **error)
{
    const ViommuHost *host = build->input->host;
    const GPtrArray *devices = build->plan->placement.devices;
    g_autofree char *reason = NULL;

    if (devices->len == 0 ||
        viommu_topology_remaps_interrupts(&host->topology, viommu_host_arch(host), &reason) != 0)
        return true;
    for (guint i = 0; i < devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(devices, i);

        if (!viommu_topology_allows_unsafe(&host->topology, device->iommufd))
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_INTERRUPT_REMAPPING, error,
                "hostdevs[%u]: '%s' cannot be assigned, because this host does not remap interrupts, and without that a device can send any interrupt to the host: %s; where you trust the guests with the whole host, run \"modprobe %s\" and \"echo Y > /sys/module/%s/parameters/allow_unsafe_interrupts\" as root instead",
                device->entry, device->address, reason, backend_module(device), backend_module(device));
    }
    viommu_plan_warn(
        build,
        "this host does not remap interrupts, so the guest can send any interrupt to the host through its devices (%s.allow_unsafe_interrupts is set): trust whoever controls the guest with the whole host; %s",
        backend_module(g_ptr_array_index(devices, 0)), reason);
    return true;
}

bool viommu_plan_settle_hostdevs(ViommuPlanBuild *build, GError **error)
{
    return viommu_plan_settle_placement(build, error) && check_drivers(build, error) &&
           check_nodes(build, error) && check_interfaces(build, error) &&
           viommu_plan_settle_iommufd(build, error) && check_interrupts(build, error);
}

/* --- After it --- */

static void note_device(ViommuPlanBuild *build, const ViommuPlacedDevice *device)
{
    g_autoptr(GString) where = g_string_new(NULL);

    if (device->group != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(where, ", group %" G_GUINT64_FORMAT, device->group);
    if (device->iommu)
        g_string_append_printf(where, " behind %s", device->iommu);
    if (device->width_bits != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(where, " (%" G_GUINT64_FORMAT " bits)", device->width_bits);
    if (device->node != VIOMMU_UNSET_NUMBER)
        g_string_append_printf(where, ", node %" G_GUINT64_FORMAT, device->node);
    viommu_plan_note(build, "%s (%s%s) is assigned through %s: %s", device->address, device->noun, where->str,
                     device->iommufd ? "iommufd" : "a VFIO container", device->backend_reason);
    if (device->taken)
        viommu_plan_warn(build, "%s (%s) is taken from the host's driver %s while the guest runs",
                         device->address, device->noun, device->host_driver);
    for (char **use = device->uses; use && *use; use++)
        viommu_plan_warn(build, "%s (%s) is in use by the host, which loses it: %s", device->address,
                         device->noun, *use);
}

/* Why the usual first choice was not chosen. */
static void note_passed_over(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;

    for (int model = 0; plan->iommu.model != VIOMMU_MODEL_NONE && model < VIOMMU_MODEL_LAST; model++) {
        const GPtrArray *reasons = plan->iommu.candidates[model].reasons;

        for (guint i = 0; model != VIOMMU_MODEL_AMD && i < reasons->len; i++) {
            const ViommuReason *reason = g_ptr_array_index(reasons, i);

            if (reason->rule == VIOMMU_RULE_HOSTDEV)
                viommu_plan_note(build, "'%s' was passed over because of the assigned devices: %s",
                                 viommu_model_to_string((ViommuModel)model), reason->text);
        }
    }
}

static void note_iommu(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    uint64_t width = plan->placement.width_bits;

    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        viommu_plan_note(
            build,
            "the guest has no IOMMU: it can use its assigned devices, but cannot isolate them or assign one to a guest of its own");
    if (plan->iommu.attributes.caching_mode == 1)
        viommu_plan_note(
            build,
            "caching_mode is on: QEMU needs it to see the guest's mappings and mirror them for the assigned devices");
    if (plan->iommu.model == VIOMMU_MODEL_INTEL && plan->iommu.attributes.aw_bits != VIOMMU_UNSET_NUMBER) {
        if (width == VIOMMU_UNSET_NUMBER)
            viommu_plan_note(
                build,
                "aw_bits is %" G_GUINT64_FORMAT
                ": QEMU refuses more than the host's IOMMU translates; its width is not known, and no IOMMU has less",
                plan->iommu.attributes.aw_bits);
        else
            viommu_plan_note(build,
                             "aw_bits is %" G_GUINT64_FORMAT
                             ": the host's IOMMU translates %" G_GUINT64_FORMAT
                             " bits, and QEMU refuses more",
                             plan->iommu.attributes.aw_bits, width);
    }
}

/* Linux 5.1 and newer (drivers/vfio/vfio_iommu_type1.c, dma_entry_limit). */
#define DMA_ENTRY_LIMIT 65535

/* Each mapping of the guest takes one of the container; without an IOMMU QEMU maps the memory in a
 * few large pieces. */
static void note_mappings(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    uint64_t limit = build->input->host->topology.dma_entry_limit;
    /* A container maps no less than a page of the host. */
    uint64_t page = viommu_host_likely_page_bytes(build->input->host);
    bool known = limit != VIOMMU_UNSET_NUMBER, container = false;

    for (guint i = 0; i < plan->placement.devices->len; i++)
        container |= !((const ViommuPlacedDevice *)g_ptr_array_index(plan->placement.devices, i))->iommufd;
    if (!container || plan->iommu.model == VIOMMU_MODEL_NONE)
        return;
    if (!known)
        limit = DMA_ENTRY_LIMIT;
    viommu_plan_note(
        build,
        "a VFIO container holds at most %" G_GUINT64_FORMAT
        " mappings (vfio_iommu_type1.dma_entry_limit%s): a guest that maps single pages of %" G_GUINT64_FORMAT
        " KiB can map %" G_GUINT64_FORMAT
        " MiB at a time, and more fails with \"No space left on device\"; raise that limit on the host, or let the guest map larger pieces (iommu=pt)",
        limit, known ? "" : ", by default", page / VIOMMU_KIB, (limit * page + VIOMMU_MIB / 2) / VIOMMU_MIB);
}

static void note_memlock(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    bool counted = viommu_fact_holds(VIOMMU_FACT_MEMLOCK_PER_DEVICE, build->input->host->libvirt, 0);
    g_autofree char *bound = viommu_quantity_format(plan->memlock_bytes);
    g_autofree char *since =
        viommu_version_format_short(viommu_fact(VIOMMU_FACT_MEMLOCK_PER_DEVICE)->libvirt);
    guint n = plan->placement.devices->len + build->input->n_hostdevs;

    if (plan->locked) {
        viommu_plan_note(
            build,
            "QEMU may lock any amount of memory, because memory-backing.locked is true; the guest locks %s",
            bound);
        return;
    }
    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        viommu_plan_note(
            build,
            "QEMU may lock %s: the guest's memory, which all assigned devices share because there is no IOMMU, and 1 GiB",
            bound);
    else if (counted && n > 1)
        viommu_plan_note(
            build,
            "QEMU may lock %s: %u times the guest's memory, because each assigned device behind an IOMMU has an address space of its own, and 1 GiB; this is a limit, the pages are locked once",
            bound, n);
    else if (counted)
        viommu_plan_note(build, "QEMU may lock %s: the guest's memory for its one assigned device, and 1 GiB",
                         bound);
    else
        viommu_plan_note(build, "QEMU may lock %s: the guest's memory and 1 GiB, as libvirt before %s counts",
                         bound, since);
    if (plan->iommu.model != VIOMMU_MODEL_NONE && !counted && n > 1)
        viommu_plan_warn(
            build,
            "%u devices behind an IOMMU may lock the guest's memory once each, but libvirt before %s allows it only once, so QEMU may fail with \"Cannot allocate memory\"; assign one device, or set memory-backing.locked",
            n, since);
}

/* Tried with QEMU 5.2 to 11.1.3: "Property 'vfio-pci.host' doesn't take value '10000:e1:00.0'".
 * Linux and libvirt 7.0 to 12.8 accept it; no release of QEMU is known that does. */
static void warn_of_domain(ViommuPlanBuild *build, const ViommuPlacedDevice *device)
{
    ViommuPciAddress address;

    if (viommu_pci_address_parse(device->address, &address) && address.domain > G_MAXUINT16)
        viommu_plan_warn(
            build,
            "hostdevs[%u]: '%s' is in a PCI domain above ffff, which QEMU is known to refuse at the start; for a drive behind Intel VMD, switch VMD off in the host's firmware: the drive is then in domain 0000",
            device->entry, device->address);
}

void viommu_plan_explain_hostdevs(ViommuPlanBuild *build)
{
    const ViommuPlacement *placement = &build->plan->placement;

    if (placement->devices->len == 0)
        return;
    if (placement->unseen)
        viommu_plan_warn(build,
                         "viommud cannot see this host's PCI devices, so the hostdevs were not checked");
    if (build->emulator->vfio == 0 && build->input->host->topology.vfio == 1)
        viommu_plan_warn(
            build,
            "libvirt reports that this QEMU cannot have devices through VFIO, although the kernel has it: QEMU was built without it, or libvirt's daemon has not looked since (restart libvirtd or virtqemud)");
    for (guint i = 0; i < placement->devices->len; i++) {
        note_device(build, g_ptr_array_index(placement->devices, i));
        warn_of_domain(build, g_ptr_array_index(placement->devices, i));
    }
    note_passed_over(build);
    note_iommu(build);
    note_mappings(build);
    note_memlock(build);
}
