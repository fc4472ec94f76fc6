/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* devices: disks, networks and their controllers, and which of them stand behind the IOMMU. */
#include <stdio.h>

#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

void viommu_plan_backing_free(ViommuPlanBacking *backing)
{
    g_free(backing->path);
    g_free(backing);
}

static void plan_disk_free(void *data)
{
    ViommuPlanDisk *disk = data;

    g_free(disk->path);
    g_clear_pointer(&disk->backing, g_ptr_array_unref);
    g_free(disk);
}

static void plan_network_free(void *data)
{
    ViommuPlanNetwork *network = data;

    g_free(network->source);
    g_clear_pointer(&network->passt_ports, g_array_unref);
    g_free(network);
}

static void plan_share_free(void *data)
{
    ViommuPlanShare *share = data;

    g_free(share->path);
    g_free(share->tag);
    g_free(share);
}

void viommu_plan_init_devices(ViommuPlan *plan)
{
    plan->shares = g_ptr_array_new_with_free_func(plan_share_free);
    plan->disks = g_ptr_array_new_with_free_func(plan_disk_free);
    plan->networks = g_ptr_array_new_with_free_func(plan_network_free);
}

/* libvirt: "readonly sata disks are not supported". */
bool viommu_plan_check_disks(ViommuPlanBuild *build, GError **error)
{
    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);

        if (disk->bus == VIOMMU_DISK_BUS_SATA && disk->read_only == 1)
            return viommu_plan_refuse(
                build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
                "disks[%u].read-only is not possible with bus 'sata'; use 'virtio' or 'scsi'", i);
    }
    return true;
}

/* A dry run does not look into the file, so it knows only a size that is requested. */
static void note_overlay(ViommuPlanBuild *build, guint i, const ViommuPlanDisk *disk)
{
    const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
    uint64_t known = viommu_plan_overlay_bytes(build, i);
    bool at_least = known == VIOMMU_UNSET_NUMBER && asked->size_min_bytes != VIOMMU_UNSET_NUMBER;
    uint64_t bytes = at_least ? asked->size_min_bytes : known;
    g_autofree char *size = bytes == VIOMMU_UNSET_NUMBER ? NULL : viommu_quantity_format(bytes);

    if (disk->overlay)
        viommu_plan_note(build,
                         "disk %s is an overlay%s%s%s, which is removed with the machine; '%s' is only read",
                         disk->target, size ? " of " : "", at_least ? "at least " : "", size ? size : "",
                         asked->file.path);
}

/* A virtio disk, which cloud-init finds with the others: a CD-ROM of SATA may appear too late. */
static void add_seed(ViommuPlanBuild *build, char letter)
{
    ViommuPlan *plan = build->plan;
    ViommuPlanDisk *disk = g_new0(ViommuPlanDisk, 1);

    disk->format = VIOMMU_DISK_FORMAT_RAW;
    disk->bus = VIOMMU_DISK_BUS_VIRTIO;
    disk->read_only = true;
    disk->translated = plan->iommu.translate;
    snprintf(disk->target, sizeof(disk->target), "vd%c", letter);
    disk->path = g_strdup(plan->seed.path);
    g_ptr_array_add(plan->disks, disk);
    viommu_plan_note(build, "disk %s is the seed for cloud-init; it is removed with the machine",
                     disk->target);
}

/* virtio disks and SCSI disks are numbered separately, as in the guest; SATA and SCSI disks share
 * the letters of sd. */
static void settle_disks(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    char letters[2] = {'a', 'a'};

    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
        ViommuPlanDisk *disk = g_new0(ViommuPlanDisk, 1);
        bool is_virtio;

        disk->format = (ViommuDiskFormat)asked->format;
        disk->bus = asked->bus == VIOMMU_UNSET ? VIOMMU_DISK_BUS_VIRTIO : (ViommuDiskBus)asked->bus;
        disk->read_only = asked->read_only == 1;
        is_virtio = disk->bus == VIOMMU_DISK_BUS_VIRTIO;
        disk->translated = plan->iommu.translate && is_virtio;
        snprintf(disk->target, sizeof(disk->target), "%cd%c", is_virtio ? 'v' : 's', letters[is_virtio]++);
        viommu_plan_settle_file(build, i, disk);
        plan->scsi_controller = plan->scsi_controller || disk->bus == VIOMMU_DISK_BUS_SCSI;
        g_ptr_array_add(plan->disks, disk);
        note_overlay(build, i, disk);
    }
    if (plan->seed.present && plan->seed.by == VIOMMU_SEED_BY_CLOUD_INIT)
        add_seed(build, letters[1]);
}

/* Whether vhost would go on using pages that the guest has unmapped.  libvirt uses vhost for
 * networks under KVM. */
static bool loses_invalidations(ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    ViommuVersion qemu = build->emulator->qemu;
    ViommuFlawId flaw =
        plan->iommu.attributes.iotlb == 1 ? VIOMMU_FLAW_VHOST_DEVICE_IOTLB : VIOMMU_FLAW_VHOST_UNMAP;
    g_autofree char *range = NULL;

    if (plan->iommu.model != VIOMMU_MODEL_INTEL || plan->accelerator != VIOMMU_ACCELERATOR_KVM ||
        !viommu_flaw_is_in(flaw, qemu))
        return false;
    range = viommu_flaw_range(flaw, qemu);
    viommu_plan_note(
        build,
        "QEMU itself serves the guest's networks instead of the faster vhost-net, because %s does not tell vhost what a guest unmaps behind 'intel'",
        range);
    return true;
}

static bool uses_vhost(const ViommuPlanNetwork *network)
{
    return network->translated && network->type != VIOMMU_NETWORK_TYPE_USER;
}

void viommu_plan_settle_devices(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    bool vhost = false;

    settle_disks(build);
    for (guint i = 0; build->request->networks && i < build->request->networks->len; i++) {
        const ViommuRequestNetwork *asked = g_ptr_array_index(build->request->networks, i);
        ViommuPlanNetwork *network = g_new0(ViommuPlanNetwork, 1);

        network->type = (ViommuNetworkType)asked->type;
        network->source = g_strdup(asked->source);
        network->model =
            asked->model == VIOMMU_UNSET ? VIOMMU_NETWORK_MODEL_VIRTIO : (ViommuNetworkModel)asked->model;
        network->translated = plan->iommu.translate && network->model == VIOMMU_NETWORK_MODEL_VIRTIO;
        vhost = vhost || uses_vhost(network);
        g_ptr_array_add(plan->networks, network);
    }
    if (vhost && loses_invalidations(build))
        for (guint i = 0; i < plan->networks->len; i++) {
            ViommuPlanNetwork *network = g_ptr_array_index(plan->networks, i);

            network->without_vhost = uses_vhost(network);
        }
    viommu_plan_settle_user_networks(build);
    plan->translate_controllers = plan->iommu.translate;
    if (plan->iommu.translate)
        viommu_plan_note(build, "DMA of all virtio devices that support it goes through the IOMMU");
}
