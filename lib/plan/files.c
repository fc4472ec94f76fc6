/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: decides how libvirt gets each disk, and whose rights QEMU has.  libvirt is root: it gives
 * files that its XML names by path to QEMU's user, by owner and by label, and does not always
 * restore them. So on the system bus a file is passed open where possible; otherwise the XML tells
 * libvirt to leave the file unchanged, and QEMU, which opens it, has the rights of the launching
 * user. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

/* AppArmor's rules read these as patterns. */
#define PATTERNS "*?[]{}^\"\\"

static const char *const labelling[] = {"dac", "selinux"};
G_STATIC_ASSERT(G_N_ELEMENTS(labelling) < G_N_ELEMENTS(((ViommuPlan *)NULL)->kept_models));

static const ViommuHandover *disk_handover(const ViommuPlanBuild *build, guint i)
{
    return build->input->handovers ? g_ptr_array_index(build->input->handovers->disks, i) : NULL;
}

/* A dry run does not know its user; where libvirt changes owners, it shows the result for any
 * user. */
static bool is_guarded(const ViommuPlanInput *input)
{
    if (!input->asker)
        return viommu_host_secmodel(input->host, "dac") != NULL;
    return input->asker->kind != VIOMMU_ASKER_OWN && !input->is_remote;
}

static bool is_member(const ViommuPlanInput *input)
{
    return is_guarded(input) && viommu_asker_is_bound(input->asker);
}

/* What libvirt needs to take open files. */
static ViommuFactId open_fact(const ViommuPlanInput *input)
{
    return input->targets ? VIOMMU_FACT_OPEN_DISK_ATTACHED : VIOMMU_FACT_OPEN_DISK;
}

static bool refuse_closed(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);
    g_autofree char *needs = viommu_fact_needs(open_fact(build->input));
    g_autofree char *had = viommu_fact_had(open_fact(build->input), build->input->host->libvirt, 0);

    return viommu_plan_refuse(
        build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
        "users other than root can replace disks[%u].path '%s', so viommud must pass it to libvirt as an open file; that needs %s, but %s; move the image into a directory that only root can write to, such as /var/lib/libvirt/images",
        i, disk->file.path, needs, had);
}

/* A file passed by path must at least stay unchanged. */
static bool check_by_path(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);
    ViommuVersion version = build->input->host->libvirt;
    g_autofree char *libvirt = NULL, *needs = NULL;

    if (!is_guarded(build->input) || viommu_fact_holds(VIOMMU_FACT_KEPT_SOURCE, version, 0))
        return true;
    libvirt = viommu_version_format(version);
    needs = viommu_fact_needs(open_fact(build->input));
    return viommu_plan_refuse(
        build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
        "disks[%u].path '%s': libvirt %s would make QEMU's user the owner of this image, or of a file that it is based on, and not restore the owner; upgrade to %s, which takes open files",
        i, disk->file.path, libvirt, needs);
}

static bool check_name(ViommuPlanBuild *build, guint i, const ViommuHandover *handover, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);

    if (!is_guarded(build->input) || !viommu_host_secmodel(build->input->host, "apparmor"))
        return true;
    if (handover->is_nameless)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
            "disks[%u].path '%s' was deleted, but AppArmor, which confines guests here, identifies files by their names; give a file that still exists",
            i, disk->file.path);
    if (strpbrk(handover->path, PATTERNS))
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
            "disks[%u].path '%s' contains one of %s, which AppArmor's rules take for patterns; rename the file",
            i, disk->file.path, PATTERNS);
    return true;
}

/* A user's own libvirt has that user's rights, and one without security models (the test driver)
 * labels nothing. */
bool viommu_plan_takes_open(const ViommuPlanInput *input, const ViommuHandover *handover)
{
    bool labels = is_guarded(input) && input->host->secmodels;

    if (!handover->is_open || (handover->is_fixed && !labels))
        return false;
    return viommu_fact_holds(open_fact(input), input->host->libvirt, 0);
}

/* The header of an image can name another file at any time, so QEMU must have no more rights than
 * the users who can write to the image. */
static bool check_rights(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(build->request->disks, i);
    const ViommuPlanInput *input = build->input;

    if (!is_member(input) || !input->host->secmodels || disk->format != VIOMMU_DISK_FORMAT_QCOW2 ||
        viommu_host_qemu_group(input->host) != VIOMMU_UNSET_NUMBER)
        return true;
    return viommu_plan_refuse(
        build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
        "disks[%u].format 'qcow2': libvirt cannot run QEMU with the rights of user %u, because it reports no security model 'dac' with a label for ordinary guests; use a raw image, or libvirt's system daemon as root",
        i, input->asker->uid);
}

static bool check_disk(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuHandover *handover = disk_handover(build, i);
    bool open;

    if (!handover)
        return true;
    open = viommu_plan_takes_open(build->input, handover);
    if (!open && !handover->is_fixed)
        return refuse_closed(build, i, error);
    if (!check_rights(build, i, error))
        return false;
    if (open && (!handover->backing || handover->backing->len == 0))
        return check_name(build, i, handover, error);
    return check_by_path(build, i, error) && (!open || check_name(build, i, handover, error));
}

static bool check_confinement(ViommuPlanBuild *build, GError **error)
{
    const ViommuHost *host = build->input->host;
    ViommuConfinement wanted = build->input->policy->confinement;

    if (!is_guarded(build->input) || viommu_host_confines(host))
        return true;
    if (wanted == VIOMMU_CONFINEMENT_REQUIRED)
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_CONFINEMENT, error,
            "libvirt reports neither apparmor nor selinux as a security model, but [guests] confinement is 'required'; set up one of them for libvirt, or set confinement to 'warn'");
    if (wanted == VIOMMU_CONFINEMENT_WARN && host->secmodels)
        viommu_plan_warn(
            build,
            "neither AppArmor nor SELinux confines this guest's QEMU: a guest that breaks out of QEMU has the rights of QEMU's user ([guests] confinement)");
    return true;
}

/* The meaning of a path on another host, and its users, are unknown here, and libvirt there is
 * root. */
static bool check_unseen(ViommuPlanBuild *build, GError **error)
{
    if (!build->input->is_remote || !viommu_asker_is_bound(build->input->asker) ||
        (!build->request->boot.kernel.path && !build->request->disks))
        return true;
    return viommu_plan_refuse(
        build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_DISK, error,
        "libvirt runs on another host, whose files viommud cannot check, so only root may name files there; launch the machine with a viommud on that host");
}

/* viommud reads and makes files on its own host alone. */
static bool check_made(ViommuPlanBuild *build, GError **error)
{
    const ViommuRequest *request = build->request;
    const char *key = NULL;

    for (guint i = 0; !key && request->disks && i < request->disks->len; i++) {
        const ViommuRequestDisk *disk = g_ptr_array_index(request->disks, i);

        key = disk->overlay == 1 ? "disks[].overlay" : disk->digest ? "disks[].digest" : NULL;
    }
    if (!build->input->is_remote || !key)
        return true;
    return viommu_plan_refuse(
        build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_DISK, error,
        "%s is not possible, because libvirt runs on another host, whose files viommud cannot reach; omit it, or launch the machine with a viommud on that host",
        key);
}

bool viommu_plan_check_files(ViommuPlanBuild *build, GError **error)
{
    if (!check_unseen(build, error) || !check_made(build, error))
        return false;
    for (guint i = 0; build->request->disks && i < build->request->disks->len; i++)
        if (!check_disk(build, i, error))
            return false;
    return check_confinement(build, error);
}

void viommu_plan_settle_rights(ViommuPlanBuild *build)
{
    const ViommuPlanInput *input = build->input;
    ViommuPlan *plan = build->plan;
    uint64_t group = viommu_host_qemu_group(input->host);
    size_t n = 0;

    plan->group = VIOMMU_UNSET_NUMBER;
    if (!is_guarded(input))
        return;
    plan->group = group;
    for (size_t i = 0; i < G_N_ELEMENTS(labelling); i++)
        if (viommu_host_secmodel(input->host, labelling[i]))
            plan->kept_models[n++] = labelling[i];
    if (is_member(input) && group != VIOMMU_UNSET_NUMBER)
        plan->label = g_strdup_printf("+%u:+%" G_GUINT64_FORMAT, input->asker->uid, group);
}

/* Where libvirt would label what it gets by path, and takes open files. */
static bool prefers_open(const ViommuPlanInput *input)
{
    return is_guarded(input) && input->host->secmodels &&
           viommu_fact_holds(open_fact(input), input->host->libvirt, 0);
}

/* @path is taken. */
static void add_backing(GPtrArray *backing, char *path, ViommuDiskFormat format, bool is_open,
                        const char *target)
{
    ViommuPlanBacking *one = g_new0(ViommuPlanBacking, 1);

    one->path = path;
    one->format = format;
    one->is_open = is_open;
    g_snprintf(one->group, sizeof(one->group), "%s.%u", target, backing->len + 1);
    g_ptr_array_add(backing, one);
}

/* A name for a file that is given open: its own, by which AppArmor knows it, or one that no file
 * has. */
static char *name_open(const ViommuPlanBuild *build, const char *path, const char *group)
{
    return is_guarded(build->input) && !viommu_host_secmodel(build->input->host, "apparmor")
               ? g_strdup_printf(VIOMMU_PLAN_OPEN_FILES "/%s.%s", build->plan->uuid, group)
               : g_strdup(path);
}

/* The file of the request, below an overlay. */
static void add_base(const ViommuPlanBuild *build, guint i, const ViommuPlanDisk *disk, GPtrArray *backing)
{
    const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
    const ViommuHandover *handover = disk_handover(build, i);
    bool is_open = handover && viommu_plan_takes_open(build->input, handover);
    const char *path = handover ? handover->path : asked->file.path;
    g_autofree char *group = g_strdup_printf("%s.1", disk->target);

    add_backing(backing, is_open ? name_open(build, path, group) : g_strdup(path),
                (ViommuDiskFormat)asked->format, is_open, disk->target);
}

static GPtrArray *settle_backing(const ViommuPlanBuild *build, guint i, const ViommuPlanDisk *disk)
{
    const ViommuHandover *handover = disk_handover(build, i);
    GPtrArray *backing;

    if (!disk->overlay && (!handover || !handover->backing))
        return NULL;
    backing = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_plan_backing_free);
    if (disk->overlay)
        add_base(build, i, disk, backing);
    for (guint j = 0; handover && handover->backing && j < handover->backing->len; j++) {
        const ViommuHandoverBacking *asked = g_ptr_array_index(handover->backing, j);

        add_backing(backing, g_strdup(asked->path), asked->format,
                    asked->is_open && prefers_open(build->input), disk->target);
    }
    return backing;
}

uint64_t viommu_plan_overlay_bytes(const ViommuPlanBuild *build, guint i)
{
    const ViommuHandover *handover = disk_handover(build, i);

    return handover ? handover->overlay_bytes
                    : ((const ViommuRequestDisk *)g_ptr_array_index(build->request->disks, i))->size_bytes;
}

/* It is viommud's own, made before the start: libvirt gives it to QEMU's user, or gets it open. */
static void settle_overlay(const ViommuPlanBuild *build, guint i, ViommuPlanDisk *disk)
{
    const ViommuHandover *handover = disk_handover(build, i);

    disk->overlay = true;
    disk->format = VIOMMU_DISK_FORMAT_QCOW2;
    disk->is_open = handover && prefers_open(build->input);
    disk->is_kept = disk->is_open;
    if (disk->is_open)
        disk->path = name_open(build, handover->overlay, disk->target);
    else
        disk->path = handover
                         ? g_strdup(handover->overlay)
                         : g_strdup_printf(VIOMMU_PLAN_OPEN_FILES "/%s.%s", build->plan->uuid, disk->target);
    disk->backing = settle_backing(build, i, disk);
}

void viommu_plan_settle_file(const ViommuPlanBuild *build, guint i, ViommuPlanDisk *disk)
{
    const ViommuRequestDisk *asked = g_ptr_array_index(build->request->disks, i);
    const ViommuHandover *handover = disk_handover(build, i);

    if (asked->overlay == 1) {
        settle_overlay(build, i, disk);
        return;
    }
    disk->is_open = handover && viommu_plan_takes_open(build->input, handover);
    disk->is_block = handover && handover->is_block;
    /* A file that root makes writable may belong to QEMU's user meanwhile; libvirt restores it. */
    disk->is_kept = disk->is_open || !build->input->asker || is_member(build->input) ||
                    (disk->read_only && !disk->is_block);
    disk->path = disk->is_open ? name_open(build, handover->path, disk->target)
                               : g_strdup(handover ? handover->path : asked->file.path);
    disk->backing = settle_backing(build, i, disk);
}
