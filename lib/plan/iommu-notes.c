/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* iommu-notes: what a plan says of its IOMMU beside the reasons for the model: attributes with
 * unusual values, or with less effect than they seem to have. */
#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/base/cmdline.h"
#include "lib/guest/guest.h"
#include "lib/plan/build.h"
#include "lib/plan/iommu-attributes.h"
#include "lib/request/translate.h"

bool viommu_plan_plugs_hostdevs(const ViommuPlanBuild *build, uint64_t *ret_width_bits)
{
    const ViommuHost *host = build->input->host;
    const GPtrArray *iommus = host->topology.iommus;
    g_autofree char *reason = NULL;
    uint64_t narrowest = VIOMMU_UNSET_NUMBER;

    if (build->request->hotplug_ports == VIOMMU_UNSET_NUMBER || build->request->hotplug_ports == 0)
        return false;
    if (host->topology.present ? viommu_topology_judge(&host->topology, &reason) != VIOMMU_IOMMU_USE_USED
                               : host->has_iommu != 1)
        return false;
    for (guint i = 0; iommus && i < iommus->len; i++) {
        uint64_t width = ((const ViommuHostIommu *)g_ptr_array_index(iommus, i))->width_bits;

        if (width == VIOMMU_UNSET_NUMBER)
            return true;
        narrowest = MIN(narrowest, width);
    }
    *ret_width_bits = narrowest;
    return true;
}

static void explain_plugging(ViommuPlanBuild *build, const ViommuIommuInput *input)
{
    const ViommuIommuAttributes *given = &build->plan->iommu.attributes;

    if (!input->plugs_hostdevs)
        return;
    if (build->plan->iommu.model == VIOMMU_MODEL_SMMUV3 || build->plan->iommu.model == VIOMMU_MODEL_AMD)
        viommu_plan_note(
            build,
            "a device of the host cannot be plugged into the free root ports, because this '%s' does not report the guest's mappings to QEMU",
            viommu_model_to_string(build->plan->iommu.model));
    if (build->plan->iommu.model != VIOMMU_MODEL_INTEL)
        return;
    if (given->caching_mode != 1)
        viommu_plan_note(
            build,
            "a device of the host cannot be plugged into the free root ports, because caching_mode is off");
    else if (input->host_width_bits != VIOMMU_UNSET_NUMBER && given->aw_bits != VIOMMU_UNSET_NUMBER &&
             given->aw_bits > input->host_width_bits)
        viommu_plan_note(
            build,
            "a device of the host cannot be plugged into the free root ports, because aw_bits is %" G_GUINT64_FORMAT
            " and the host's IOMMU translates %" G_GUINT64_FORMAT " bits",
            given->aw_bits, input->host_width_bits);
    else if (!viommu_iommu_has_hostdevs(input))
        viommu_plan_note(
            build,
            "caching_mode is on and aw_bits is no more than the host's IOMMU translates, so that devices of the host can be plugged into the free root ports");
}

static void explain_granule(ViommuPlanBuild *build, const ViommuIommuInput *input)
{
    ViommuGuest guest = {input->request, input->kernel, true};
    uint64_t granule = viommu_iommu_granule(input), page = viommu_guest_page_bytes(&guest, input->arch);
    g_autofree char *text = NULL;

    if (build->plan->iommu.model != VIOMMU_MODEL_VIRTIO || input->arch != VIOMMU_ARCH_AARCH64)
        return;
    if (granule == VIOMMU_UNSET_NUMBER && page != VIOMMU_ARM_PAGE_MAX_BYTES)
        viommu_plan_note(
            build,
            "the granule is the host's page, whose size is not known: a guest with smaller pages puts no device behind the IOMMU");
    if (granule == VIOMMU_UNSET_NUMBER || granule <= VIOMMU_X86_PAGE_BYTES || page != 0)
        return;
    text = viommu_quantity_format(granule);
    viommu_plan_note(
        build,
        "the granule is %s, and the guest's page size is not known: a guest with smaller pages puts no device behind the IOMMU; set guest.os to have it checked",
        text);
}

static void explain_timer(ViommuPlanBuild *build, const ViommuIommuInput *input)
{
    const ViommuPlan *plan = build->plan;
    const ViommuRequest *request = input->request;
    bool tcg = input->accelerator == VIOMMU_ACCELERATOR_TCG;

    if (!tcg || viommu_cmdline_at(request->boot.cmdline, VIOMMU_TIMER_WORD) > 0)
        return;
    if (plan->iommu.attributes.intremap == 0 && input->request->iommu.intremap == VIOMMU_UNSET)
        viommu_plan_note(
            build,
            "interrupt remapping is off, because with it Linux may panic in its check of the timer (TCG on a busy host); VFIO in the guest then needs vfio_iommu_type1.allow_unsafe_interrupts=1; set iommu.intremap to true to have it");
    if (plan->iommu.attributes.intremap != 1)
        return;
    if (viommu_iommu_risks_timer(input) && request->boot.extend_cmdline == 1)
        build->plan->timer_word = VIOMMU_TIMER_WORD;
    else
        viommu_plan_note(
            build,
            "with interrupt remapping Linux may panic in its check of the timer (TCG on a busy host); '%s' on its command line prevents that%s",
            VIOMMU_TIMER_WORD, request->boot.kernel.path ? "; set boot.extend-cmdline to have it added" : "");
}

void viommu_plan_explain_iommu(ViommuPlanBuild *build, const ViommuIommuInput *input)
{
    const ViommuIommuChoice *choice = &build->plan->iommu;
    ViommuGuest guest = {input->request, input->kernel, false};
    bool linux_guest = !viommu_guest_is_windows(&guest);
    const char *off;

    if (choice->model == VIOMMU_MODEL_NONE)
        return;
    if (linux_guest && input->arch == VIOMMU_ARCH_X86_64)
        explain_timer(build, input);
    if (linux_guest)
        explain_granule(build, input);
    explain_plugging(build, input);
    if (viommu_iommu_has_legacy_virtio(input) && input->request->iommu.translate == VIOMMU_UNSET)
        viommu_plan_warn(
            build,
            "the virtio devices are outside the IOMMU, because QEMU puts none of machine '%s' behind one; leave machine out, or use a newer one",
            input->machine);
    if (choice->attributes.iotlb == 1 && !viommu_request_has_ats(build->request))
        viommu_plan_note(
            build,
            "iommu.iotlb does nothing: a device uses an IOTLB of its own only with ATS; set ats of a disk, a network or a device");
    off = viommu_guest_remapping_off(&guest, input->arch, choice->model);
    if (off && input->request->iommu.intremap == 1)
        viommu_plan_warn(build, "iommu.intremap is true, but boot.cmdline has '%s', which switches it off",
                         off);
    if (choice->accelerated && choice->ril == 0 && input->request->iommu.ril == VIOMMU_UNSET)
        viommu_plan_note(
            build,
            "range invalidation is off, because this QEMU would refuse to start on a host whose SMMU lacks it");
}
