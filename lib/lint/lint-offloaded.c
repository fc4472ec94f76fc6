/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lint-offloaded: devices of a domain that another program or hardware of the host serves. */
#include "lib/facts/facts.h"
#include "lib/lint/lint-internal.h"

/* QEMU refuses what is not there: "iommu_platform=true is not supported by the device". */
static void compare_behind(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    ViommuFinding *finding;

    if (device->may_translate) {
        viommu_lint_add(
            linting, VIOMMU_SEVERITY_NOTE, VIOMMU_RULE_TRANSLATE, device->driver, "iommu", NULL,
            "whether this %s can be behind the IOMMU is not known, and QEMU does not start if it cannot: %s",
            device->noun, device->outside);
        return;
    }
    finding = viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_TRANSLATE, device->driver, "iommu",
                              "remove iommu='on'", "QEMU does not start with iommu='on' of this %s: %s",
                              device->noun, device->outside);
    viommu_lint_set(linting, finding, device->driver, "iommu", NULL);
}

/* As of an assigned device: QEMU must see each mapping of the guest. */
static void compare_model(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    const ViommuIommuChoice *iommu = &linting->plan->iommu;
    bool is_intel = iommu->model == VIOMMU_MODEL_INTEL;

    if (iommu->model == VIOMMU_MODEL_VIRTIO || (is_intel && iommu->attributes.caching_mode == 1))
        return;
    viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_TRANSLATE, device->driver, "iommu",
                    is_intel ? "set caching_mode='on' in the <driver> of the <iommu>, or remove iommu='on'"
                             : "use 'intel' with caching_mode='on', or 'virtio', or remove iommu='on'",
                    "this %s does not work behind the IOMMU, which does not show QEMU the guest's mappings",
                    device->noun);
}

/* QEMU 8.1 hw/virtio/vhost-vdpa.c: before, the device gets the guest's physical addresses. */
static void compare_maps(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    const ViommuFactId id = VIOMMU_FACT_NETWORK_VDPA_TRANSLATION;
    g_autofree char *needs = viommu_fact_needs(id);
    ViommuFinding *finding;

    if (viommu_fact_holds(id, linting->host.libvirt, linting->emulator->qemu)) {
        compare_model(linting, device);
        return;
    }
    finding = viommu_lint_add(linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_TRANSLATE, device->driver, "iommu",
                              "remove iommu='on', or upgrade",
                              "this %s does not work behind the IOMMU: that needs %s", device->noun, needs);
    viommu_lint_set(linting, finding, device->driver, "iommu", NULL);
}

void viommu_lint_compare_offloaded(ViommuLinting *linting, const ViommuDomainDevice *device)
{
    if (!device->behind)
        viommu_lint_add(linting, VIOMMU_SEVERITY_NOTE, VIOMMU_RULE_TRANSLATE, device->node, NULL, NULL,
                        "this %s is outside the IOMMU: %s", device->noun, device->outside);
    else if (device->needs_maps)
        compare_maps(linting, device);
    else
        compare_behind(linting, device);
}

static void share_memory(ViommuLinting *linting, ViommuFinding *finding)
{
    static const char shared[] = "<access mode='shared'/>", memfd[] = "<source type='memfd'/>";
    const xmlNode *backing = viommu_xml_child(linting->read->root, "memoryBacking");
    const xmlNode *access = viommu_xml_child(backing, "access");
    bool has_file = viommu_xml_child(backing, "source") || viommu_xml_child(backing, "hugepages");
    g_autofree char *all = g_strconcat("<memoryBacking>", memfd, shared, "</memoryBacking>", NULL);

    if (!backing) {
        viommu_lint_add_child(linting, finding, linting->read->root, all);
        return;
    }
    if (!has_file)
        viommu_lint_add_child(linting, finding, backing, memfd);
    if (access)
        viommu_lint_set(linting, finding, access, "mode", "shared");
    else
        viommu_lint_add_child(linting, finding, backing, shared);
}

void viommu_lint_compare_shared_memory(ViommuLinting *linting)
{
    const ViommuDomainRead *read = linting->read;
    const ViommuDomainDevice *device = NULL;
    ViommuFinding *finding;

    for (guint i = 0; i < read->devices->len && !device; i++) {
        const ViommuDomainDevice *other = g_ptr_array_index(read->devices, i);

        device = other->maps_memory ? other : NULL;
    }
    if (!device || read->shares_memory)
        return;
    finding = viommu_lint_add(
        linting, VIOMMU_SEVERITY_ERROR, VIOMMU_RULE_MEMORY, device->node, NULL,
        "set <access mode='shared'/> in <memoryBacking>, with <source type='memfd'/> or huge pages",
        "the program that serves this %s cannot reach the guest's memory, which is not shared", device->noun);
    share_memory(linting, finding);
}
