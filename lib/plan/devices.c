/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* devices: disks, networks and their controllers, and which of them stand behind the IOMMU. */
#include <stdio.h>

#include "lib/base/quantity.h"
#include "lib/facts/facts.h"
#include "lib/plan/build.h"
#include "lib/request/translate.h"

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

/* Buses whose disks the guest can always write to. */
static bool check_read_only(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);

    if (disk->read_only != 1 || (disk->bus != VIOMMU_DISK_BUS_SATA && disk->bus != VIOMMU_DISK_BUS_NVME))
        return true;
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
                              "disks[%u].read-only is not possible with bus '%s'; use 'virtio' or 'scsi'", i,
                              viommu_enum_to_string(&viommu_enum_disk_bus, disk->bus));
}

bool viommu_plan_check_fact(ViommuPlanBuild *build, ViommuFactId id, ViommuRule rule, const char *list,
                            guint i, const char *subject, GError **error)
{
    ViommuVersion libvirt = build->input->host->libvirt, qemu = build->emulator->qemu;
    g_autofree char *needs = viommu_fact_needs(id), *had = viommu_fact_had(id, libvirt, qemu);

    if (viommu_fact_holds(id, libvirt, qemu))
        return true;
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, rule, error,
                              "%s[%u].%s needs %s, but %s; use another one", list, i, subject, needs, had);
}

bool viommu_plan_check_disks(ViommuPlanBuild *build, GError **error)
{
    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);

        if (!check_read_only(build, i, error) ||
            (disk->bus == VIOMMU_DISK_BUS_NVME &&
             !viommu_plan_check_fact(build, VIOMMU_FACT_DISK_NVME, VIOMMU_RULE_DISK, "disks", i, "bus 'nvme'",
                                     error)))
            return false;
    }
    return true;
}

static bool check_model(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuRequestNetwork *network = g_ptr_array_index(build->request->networks, i);

    if (network->model != VIOMMU_NETWORK_MODEL_IGB)
        return true;
    if (build->plan->family == VIOMMU_FAMILY_I440FX)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_NETWORK, error,
            "networks[%u].model 'igb' needs PCI Express, which machine '%s' does not have; use a q35, or another model",
            i, build->plan->machine);
    return viommu_plan_check_fact(build, VIOMMU_FACT_NETWORK_IGB, VIOMMU_RULE_NETWORK, "networks", i,
                                  "model 'igb'", error);
}

bool viommu_plan_check_networks(ViommuPlanBuild *build, GError **error)
{
    for (guint i = 0; build->request->networks && i < build->request->networks->len; i++)
        if (!check_model(build, i, error))
            return false;
    return true;
}

/* Whether a virtio device is behind the IOMMU whose own key says @asked.  Candidates are judged by
 * that key, too, so a model that is chosen can do it. */
static bool is_behind(const ViommuPlan *plan, int asked)
{
    return asked == VIOMMU_UNSET ? viommu_plan_marks_virtio(plan)
                                 : asked == 1 && plan->iommu.model != VIOMMU_MODEL_NONE;
}

/* Only what differs from the other devices needs a word. */
static void note_translation(ViommuPlanBuild *build, bool translated, const char *list, guint i)
{
    if (translated != viommu_plan_marks_virtio(build->plan))
        viommu_plan_note(build, "%s[%u] is %s the IOMMU, as %s[%u].translate says", list, i,
                         translated ? "behind" : "outside", list, i);
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

/* How many disks have a name already, by the kind of name. */
typedef struct DiskCounts {
    unsigned virtio, nvme, other;
} DiskCounts;

/* As many as there are names of one kind. */
#define TARGETS_MAX 26

/* Names the disk as the guest does.  SATA and SCSI disks share the letters of sd.  libvirt gives an
 * NVMe disk the controller of its number. */
static void name_next(ViommuPlanDisk *disk, DiskCounts *counts)
{
    switch (disk->bus) {
    case VIOMMU_DISK_BUS_VIRTIO:
        snprintf(disk->target, sizeof(disk->target), "vd%c", 'a' + counts->virtio++ % 26);
        break;
    case VIOMMU_DISK_BUS_NVME:
        snprintf(disk->target, sizeof(disk->target), "nvme%un1", counts->nvme++ % 100);
        break;
    default:
        snprintf(disk->target, sizeof(disk->target), "sd%c", 'a' + counts->other++ % 26);
    }
}

/* libvirt refuses a name that a running machine has already, should it have all of them. */
static void name_target(const ViommuPlanBuild *build, ViommuPlanDisk *disk, DiskCounts *counts)
{
    const char *const *taken = (const char *const *)build->input->targets;

    name_next(disk, counts);
    for (unsigned tries = 0; taken && g_strv_contains(taken, disk->target) && tries < TARGETS_MAX; tries++)
        name_next(disk, counts);
}

/* A virtio disk, which cloud-init finds with the others: a CD-ROM of SATA may appear too late. */
static void add_seed(ViommuPlanBuild *build, DiskCounts *counts)
{
    ViommuPlan *plan = build->plan;
    ViommuPlanDisk *disk = g_new0(ViommuPlanDisk, 1);

    disk->format = VIOMMU_DISK_FORMAT_RAW;
    disk->bus = VIOMMU_DISK_BUS_VIRTIO;
    disk->read_only = true;
    disk->boot_order = VIOMMU_UNSET_NUMBER;
    disk->translated = viommu_plan_marks_virtio(plan);
    name_target(build, disk, counts);
    disk->path = g_strdup(plan->seed.path);
    g_ptr_array_add(plan->disks, disk);
    viommu_plan_note(build, "disk %s is the seed for cloud-init; it is removed with the machine",
                     disk->target);
}

static void settle_disk(ViommuPlanBuild *build, guint i, DiskCounts *counts)
{
    ViommuPlan *plan = build->plan;
    const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
    ViommuPlanDisk *disk = g_new0(ViommuPlanDisk, 1);
    bool behind = is_behind(plan, asked->translate);

    disk->format = (ViommuDiskFormat)asked->format;
    disk->bus = asked->bus == VIOMMU_UNSET ? VIOMMU_DISK_BUS_VIRTIO : (ViommuDiskBus)asked->bus;
    disk->read_only = asked->read_only == 1;
    disk->translated = disk->bus == VIOMMU_DISK_BUS_VIRTIO && behind;
    disk->ats = disk->translated && asked->ats == 1;
    disk->boot_order = asked->boot_order;
    if (asked->bus == VIOMMU_DISK_BUS_SCSI)
        plan->devices[VIOMMU_DEVICE_SCSI] =
            (ViommuPlanDevice){true, behind, behind && asked->ats == 1, VIOMMU_UNSET};
    name_target(build, disk, counts);
    viommu_plan_settle_file(build, i, disk);
    g_ptr_array_add(plan->disks, disk);
    note_overlay(build, i, disk);
    if (viommu_request_disk_is_virtio(asked))
        note_translation(build, behind, "disks", i);
}

static void settle_disks(ViommuPlanBuild *build)
{
    DiskCounts counts = {0};

    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++)
        settle_disk(build, i, &counts);
    if (build->plan->seed.present && build->plan->seed.by == VIOMMU_SEED_BY_CLOUD_INIT)
        add_seed(build, &counts);
}

char *viommu_plan_deaf_vhost(const ViommuPlanBuild *build)
{
    const ViommuPlan *plan = build->plan;
    ViommuFlawId flaw =
        plan->iommu.attributes.iotlb == 1 ? VIOMMU_FLAW_VHOST_DEVICE_IOTLB : VIOMMU_FLAW_VHOST_UNMAP;

    return plan->iommu.model == VIOMMU_MODEL_INTEL && viommu_flaw_is_in(flaw, build->emulator->qemu)
               ? viommu_flaw_range(flaw, build->emulator->qemu)
               : NULL;
}

/* Whether vhost would go on using pages that the guest has unmapped.  libvirt uses vhost for
 * networks under KVM. */
static bool loses_invalidations(ViommuPlanBuild *build)
{
    g_autofree char *range = viommu_plan_deaf_vhost(build);

    if (!range || build->plan->accelerator != VIOMMU_ACCELERATOR_KVM)
        return false;
    viommu_plan_note(
        build,
        "QEMU itself serves the guest's networks instead of the faster vhost-net, because %s does not tell vhost what a guest unmaps behind 'intel'",
        range);
    return true;
}

/* With ATS, vhost hears of what the guest unmaps even where it would not otherwise. */
static bool must_hear_unmaps(const ViommuPlanNetwork *network)
{
    return network->translated && !network->ats &&
           (network->type == VIOMMU_NETWORK_TYPE_NETWORK || network->type == VIOMMU_NETWORK_TYPE_BRIDGE);
}

static void settle_network(ViommuPlanBuild *build, guint i)
{
    const ViommuRequestNetwork *asked = g_ptr_array_index(build->request->networks, i);
    ViommuPlan *plan = build->plan;
    ViommuPlanNetwork *network = g_new0(ViommuPlanNetwork, 1);
    bool offloaded = viommu_request_network_is_offloaded(asked);

    network->type = (ViommuNetworkType)asked->type;
    network->source = g_strdup(asked->source);
    network->model = viommu_request_network_model(asked);
    network->translated = network->model == VIOMMU_NETWORK_MODEL_VIRTIO &&
                          is_behind(plan, offloaded ? asked->translate == 1 : asked->translate);
    network->ats = network->translated && asked->ats == 1;
    network->boot_order = asked->boot_order;
    g_ptr_array_add(plan->networks, network);
    if (network->model == VIOMMU_NETWORK_MODEL_VIRTIO && !offloaded)
        note_translation(build, network->translated, "networks", i);
}

static void settle_vhost(ViommuPlanBuild *build)
{
    const GPtrArray *networks = build->plan->networks;
    bool vhost = false;

    for (guint i = 0; i < networks->len; i++)
        vhost = vhost || must_hear_unmaps(g_ptr_array_index(networks, i));
    if (!vhost || !loses_invalidations(build))
        return;
    for (guint i = 0; i < networks->len; i++) {
        ViommuPlanNetwork *network = g_ptr_array_index(networks, i);

        network->without_vhost = must_hear_unmaps(network);
    }
}

/* The entropy device is in each machine: its kernel waits for entropy when it boots. */
static void settle_others(ViommuPlanBuild *build)
{
    ViommuPlan *plan = build->plan;

    plan->devices[VIOMMU_DEVICE_RNG] =
        (ViommuPlanDevice){true, viommu_plan_marks_virtio(plan), false, VIOMMU_UNSET};
    for (guint i = 0; build->request->devices && i < build->request->devices->len; i++) {
        const ViommuRequestDevice *asked = g_ptr_array_index(build->request->devices, i);
        bool behind = is_behind(plan, asked->translate);

        plan->devices[asked->kind] = (ViommuPlanDevice){true, behind, behind && asked->ats == 1, (int)i};
        note_translation(build, behind, "devices", i);
        if (asked->kind == VIOMMU_DEVICE_BALLOON && plan->placement.devices->len > 0)
            viommu_plan_note(
                build,
                "the balloon gives no memory back while devices of the host are assigned: QEMU keeps all of it for them");
    }
}

void viommu_plan_settle_devices(ViommuPlanBuild *build)
{
    settle_others(build);
    settle_disks(build);
    for (guint i = 0; build->request->networks && i < build->request->networks->len; i++)
        settle_network(build, i);
    settle_vhost(build);
    viommu_plan_settle_user_networks(build);
    viommu_plan_settle_offloaded_networks(build);
    if (build->plan->iommu.translate)
        viommu_plan_note(build, "DMA of all virtio devices that support it goes through the IOMMU");
}
