/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/plan/hostdevs.h"

#include <string.h>

#include "lib/base/error.h"
#include "lib/facts/facts.h"
#include "lib/plan/iommufd.h"
#include "lib/plan/memory.h"
#include "lib/base/quantity.h"

static void add(GPtrArray *texts, const char *format, ...) G_GNUC_PRINTF(2, 3);

static void add(GPtrArray *texts, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_ptr_array_add(texts, g_strdup_vprintf(format, arguments));
    va_end(arguments);
}

/* --- Before the IOMMU --- */

static bool check_drivers(const ViommuPlanInput *input, const ViommuEmulator *emulator,
                          const ViommuPlan *plan, GError **error)
{
    g_autofree char *needs = viommu_fact_needs(VIOMMU_FACT_HOSTDEV_DRIVER);
    g_autofree char *had = viommu_fact_had(VIOMMU_FACT_HOSTDEV_DRIVER, input->host->libvirt, emulator->qemu);

    for (guint i = 0; i < plan->placement.devices->len; i++) {
        const ViommuPlacedDevice *device = g_ptr_array_index(plan->placement.devices, i);

        if (!device->driver ||
            viommu_emulator_has(emulator, input->host->libvirt, VIOMMU_FACT_HOSTDEV_DRIVER))
            continue;
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                           "hostdevs[%u].driver '%s' needs %s, but %s; leave it out", device->entry,
                           device->driver, needs, had);
    }
    return true;
}

/* An ordinary user's libvirt neither binds drivers nor gives device nodes away: root must have done it. */
static bool check_nodes(const ViommuPlanInput *input, const ViommuPlan *plan, GError **error)
{
    for (guint i = 0; input->host->unprivileged == 1 && i < plan->placement.devices->len; i++) {
        ViommuPlacedDevice *device = g_ptr_array_index(plan->placement.devices, i);
        g_autofree char *name = g_strcanon(g_strdup(device->address), "0123456789abcdef", '_');

        device->unmanaged = true;
        if (device->usable == 1 || plan->placement.unseen)
            continue;
        if (!device->host_driver || !strstr(device->host_driver, "vfio"))
            return viommu_fail(
                error, VIOMMU_ERROR_NOT_SUPPORTED,
                "hostdevs[%u]: '%s' (driver %s) is not bound to VFIO, and libvirt cannot bind it, because it runs as an ordinary user here; as root run 'virsh nodedev-detach pci_%s' and give that user the device's node in /dev/vfio, or use qemu:///system",
                device->entry, device->address, device->host_driver ? device->host_driver : "none", name);
        else
            return viommu_fail(
                error, VIOMMU_ERROR_NOT_SUPPORTED,
                "hostdevs[%u]: the user that libvirt runs as may not open /dev/vfio/%" G_GUINT64_FORMAT
                ", the group of '%s'; as root give it to that user (chown, or a udev rule for SUBSYSTEM==\"vfio\"), or use qemu:///system",
                device->entry, device->group, device->address);
    }
    return true;
}

ViommuPlacementInput viommu_plan_hostdevs_placing(const ViommuPlanInput *input)
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

bool viommu_plan_hostdevs_place(const ViommuPlanInput *input, const ViommuEmulator *emulator,
                                ViommuPlan *plan, ViommuRule *ret_rule, GError **error)
{
    ViommuPlacementInput placing = viommu_plan_hostdevs_placing(input);

    if (!viommu_placement_choose(&placing, &plan->placement, ret_rule, error))
        return false;
    *ret_rule = VIOMMU_RULE_HOSTDEV_DRIVER;
    if (!check_drivers(input, emulator, plan, error))
        return false;
    *ret_rule = VIOMMU_RULE_HOSTDEV_NODE;
    if (!check_nodes(input, plan, error))
        return false;
    *ret_rule = VIOMMU_RULE_IOMMUFD;
    return viommu_iommufd_decide(input->request, input->host, emulator, &plan->placement, error);
}

/* --- After it --- */

static void note_device(const ViommuPlacedDevice *device, ViommuPlan *plan)
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
    add(plan->notes, "%s (%s%s) is assigned through %s: %s", device->address, device->noun, where->str,
        device->iommufd ? "iommufd" : "a VFIO container", device->backend_reason);
    if (device->taken)
        add(plan->warnings, "%s (%s) is taken from the host's driver %s while the guest runs",
            device->address, device->noun, device->host_driver);
    for (char **use = device->uses; use && *use; use++)
        add(plan->warnings, "%s (%s) is in use by the host, which loses it: %s", device->address,
            device->noun, *use);
}

/* Why the usual first choice is not it. */
static void note_passed_over(ViommuPlan *plan)
{
    for (int model = 0; plan->iommu.model != VIOMMU_MODEL_NONE && model < VIOMMU_MODEL_LAST; model++) {
        const GPtrArray *reasons = plan->iommu.candidates[model].reasons;

        for (guint i = 0; model != VIOMMU_MODEL_AMD && i < reasons->len; i++) {
            const ViommuReason *reason = g_ptr_array_index(reasons, i);

            if (reason->rule == VIOMMU_RULE_HOSTDEV)
                add(plan->notes, "'%s' was passed over because of the assigned devices: %s",
                    viommu_model_to_string((ViommuModel)model), reason->text);
        }
    }
}

static void note_iommu(ViommuPlan *plan)
{
    uint64_t width = plan->placement.width_bits;

    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        add(plan->notes,
            "the guest has no IOMMU: it can use its assigned devices, but cannot isolate them or assign one to a guest of its own");
    if (plan->iommu.attributes.caching_mode == 1)
        add(plan->notes,
            "caching_mode is on: QEMU needs it to see the guest's mappings and mirror them for the assigned devices");
    if (plan->iommu.model == VIOMMU_MODEL_INTEL && plan->iommu.attributes.aw_bits != VIOMMU_UNSET_NUMBER) {
        if (width == VIOMMU_UNSET_NUMBER)
            add(plan->notes,
                "aw_bits is %" G_GUINT64_FORMAT
                ": QEMU refuses more than the host's IOMMU translates; its width is not known, and no IOMMU has less",
                plan->iommu.attributes.aw_bits);
        else
            add(plan->notes,
                "aw_bits is %" G_GUINT64_FORMAT ": the host's IOMMU translates %" G_GUINT64_FORMAT
                " bits, and QEMU refuses more",
                plan->iommu.attributes.aw_bits, width);
    }
}

static void note_memlock(const ViommuPlanInput *input, ViommuPlan *plan)
{
    bool counted = viommu_fact_holds(VIOMMU_FACT_MEMLOCK_PER_DEVICE, input->host->libvirt, 0);
    g_autofree char *bound = viommu_quantity_format(plan->memlock_bytes);
    g_autofree char *since =
        viommu_version_format_short(viommu_fact(VIOMMU_FACT_MEMLOCK_PER_DEVICE)->libvirt);
    guint n = plan->placement.devices->len;

    if (plan->locked) {
        add(plan->notes,
            "QEMU may lock any amount of memory, because memory-backing.locked is true; the guest locks %s",
            bound);
        return;
    }
    if (plan->iommu.model == VIOMMU_MODEL_NONE)
        add(plan->notes,
            "QEMU may lock %s: the guest's memory, which all assigned devices share because there is no IOMMU, and 1 GiB",
            bound);
    else if (counted && n > 1)
        add(plan->notes,
            "QEMU may lock %s: %u times the guest's memory, because each assigned device behind an IOMMU has an address space of its own, and 1 GiB; this is a limit, the pages are locked once",
            bound, n);
    else if (counted)
        add(plan->notes, "QEMU may lock %s: the guest's memory for its one assigned device, and 1 GiB",
            bound);
    else
        add(plan->notes, "QEMU may lock %s: the guest's memory and 1 GiB, as libvirt before %s counts", bound,
            since);
    if (plan->iommu.model != VIOMMU_MODEL_NONE && !counted && n > 1)
        add(plan->warnings,
            "%u devices behind an IOMMU may lock the guest's memory once each, but libvirt before %s allows it only once, so QEMU may fail with \"Cannot allocate memory\"; assign one device, or set memory-backing.locked",
            n, since);
}

bool viommu_plan_hostdevs_settle(const ViommuPlanInput *input, const ViommuEmulator *emulator,
                                 ViommuPlan *plan, ViommuRule *ret_rule, GError **error)
{
    const ViommuPlacement *placement = &plan->placement;

    if (placement->devices->len == 0)
        return true;
    *ret_rule = VIOMMU_RULE_MEMLOCK;
    if (!viommu_memory_plan_hostdevs(input->host, plan, error))
        return false;
    if (placement->unseen)
        add(plan->warnings, "viommud cannot see this host's PCI devices, so the hostdevs were not checked");
    for (guint i = 0; i < placement->devices->len; i++)
        note_device(g_ptr_array_index(placement->devices, i), plan);
    note_passed_over(plan);
    note_iommu(plan);
    note_memlock(input, plan);
    return true;
}
