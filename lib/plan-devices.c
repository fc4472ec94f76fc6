/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan-devices: disks, networks and their controllers, and which of them stand behind the IOMMU. */
#include <stdio.h>

#include "lib/facts.h"
#include "lib/plan-build.h"

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
    g_free(network);
}

void viommu_plan_init_devices(ViommuPlan *plan)
{
    plan->disks = g_ptr_array_new_with_free_func(plan_disk_free);
    plan->networks = g_ptr_array_new_with_free_func(plan_network_free);
}

/* How libvirt gets disk @i; NULL in a dry run. */
static const ViommuHandover *disk_handover(const ViommuPlanBuild *build, guint i)
{
    return build->input->handovers ? g_ptr_array_index(build->input->handovers->disks, i) : NULL;
}

static bool refuse_open_disk(ViommuPlanBuild *build, guint i, const char *path, GError **error)
{
    g_autofree char *libvirt = viommu_version_format(build->input->host->libvirt);

    return viommu_plan_refuse(
        build, "disk", error,
        "disks[%u].path '%s' would have to be given to libvirt as an open file, as others than root can "
        "put another file in its place; that needs libvirt 9.0.0, and this is %s; move the image into a "
        "directory that only root can write to, such as /var/lib/libvirt/images",
        i, path, libvirt);
}

/* libvirt: "readonly sata disks are not supported". */
bool viommu_plan_check_disks(ViommuPlanBuild *build, GError **error)
{
    ViommuVersion libvirt = build->input->host->libvirt;

    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);
        const ViommuHandover *handover = disk_handover(build, i);

        if (disk->bus == VIOMMU_DISK_BUS_SATA && disk->read_only == 1)
            return viommu_plan_refuse(
                build, "disk", error,
                "disks[%u].read-only is not possible with bus 'sata'; use 'virtio' or 'scsi'", i);
        if (handover && handover->is_open && !viommu_fact_holds(VIOMMU_FACT_OPEN_DISK, libvirt, 0))
            return refuse_open_disk(build, i, disk->file.path, error);
    }
    return true;
}

/* virtio disks and SCSI disks number apart, as the guest does; SATA and SCSI share the letters of sd. */
static void settle_disks(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;
    char letters[2] = {'a', 'a'};

    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
        const ViommuHandover *handover = disk_handover(build, i);
        ViommuPlanDisk *disk = g_new0(ViommuPlanDisk, 1);
        bool is_virtio;

        disk->path = g_strdup(handover ? handover->path : asked->file.path);
        disk->is_open = handover && handover->is_open;
        disk->is_block = handover && handover->is_block;
        disk->backing = handover && handover->backing ? g_ptr_array_ref(handover->backing) : NULL;
        disk->format = (ViommuDiskFormat)asked->format;
        disk->bus = asked->bus == VIOMMU_UNSET ? VIOMMU_DISK_BUS_VIRTIO : (ViommuDiskBus)asked->bus;
        disk->read_only = asked->read_only == 1;
        is_virtio = disk->bus == VIOMMU_DISK_BUS_VIRTIO;
        disk->translated = plan->iommu.translate && is_virtio;
        snprintf(disk->target, sizeof(disk->target), "%cd%c", is_virtio ? 'v' : 's', letters[is_virtio]++);
        plan->scsi_controller = plan->scsi_controller || disk->bus == VIOMMU_DISK_BUS_SCSI;
        g_ptr_array_add(plan->disks, disk);
    }
}

void viommu_plan_settle_devices(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;

    settle_disks(build);
    for (guint i = 0; build->request->networks && i < build->request->networks->len; i++) {
        const ViommuRequestNetwork *asked = g_ptr_array_index(build->request->networks, i);
        ViommuPlanNetwork *network = g_new0(ViommuPlanNetwork, 1);

        network->type = (ViommuNetworkType)asked->type;
        network->source = g_strdup(asked->source);
        network->model =
            asked->model == VIOMMU_UNSET ? VIOMMU_NETWORK_MODEL_VIRTIO : (ViommuNetworkModel)asked->model;
        network->translated = plan->iommu.translate && network->model == VIOMMU_NETWORK_MODEL_VIRTIO;
        g_ptr_array_add(plan->networks, network);
    }
    plan->translate_controllers = plan->iommu.translate;
    if (plan->iommu.translate)
        viommu_plan_note(build, "the DMA of every virtio device that can goes through the IOMMU");
}
