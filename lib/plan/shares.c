/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* shares: decides which directories of the host the guest can mount, and how.
 * On the system bus they are root's alone: virtiofsd of the system's libvirt has root's rights, so
 * a guest could make files that belong to root, and QEMU has a group of libvirt's, for which other
 * users' files may be readable; and libvirt gets a directory by its path only, which can mean
 * another one later. */
#include "lib/facts/facts.h"
#include "lib/plan/build.h"

static ViommuShareType type_of(const ViommuRequestShare *share)
{
    return share->type == VIOMMU_UNSET ? VIOMMU_SHARE_TYPE_VIRTIOFS : (ViommuShareType)share->type;
}

static bool check_version(ViommuPlanBuild *build, guint i, const char *key, ViommuFactId fact, GError **error)
{
    ViommuVersion libvirt = build->input->host->libvirt;
    g_autofree char *needs = viommu_fact_needs(fact), *had = viommu_fact_had(fact, libvirt, 0);

    if (viommu_fact_holds(fact, libvirt, 0))
        return true;
    return viommu_plan_refuse(build, VIOMMU_ERROR_NOT_SUPPORTED, VIOMMU_RULE_SHARE, error,
                              "shares[%u].%s needs %s, but %s; use type '9p'", i, key, needs, had);
}

static bool check_virtiofs(ViommuPlanBuild *build, guint i, GError **error)
{
    const ViommuRequestShare *share = g_ptr_array_index(build->request->shares, i);
    bool own = build->input->host->unprivileged == 1;

    return check_version(build, i, "type 'virtiofs'", own ? VIOMMU_FACT_VIRTIOFS_USER : VIOMMU_FACT_VIRTIOFS,
                         error) &&
           (share->read_only != 1 ||
            check_version(build, i, "read-only with type 'virtiofs'", VIOMMU_FACT_VIRTIOFS_READ_ONLY, error));
}

bool viommu_plan_check_shares(ViommuPlanBuild *build, GError **error)
{
    const GPtrArray *shares = build->request->shares;

    if (shares && viommu_asker_is_bound(build->input->asker))
        return viommu_plan_refuse(
            build, VIOMMU_ERROR_POLICY_REFUSED, VIOMMU_RULE_SHARE, error,
            "only root may share directories by the system's viommud, because libvirt's virtiofsd has root's rights, and QEMU those of a group of libvirt's; use your own viommud (viommuctl --user), or copy the files with scp or rsync (viommuctl ssh-config)");
    for (guint i = 0; shares && i < shares->len; i++)
        if (type_of(g_ptr_array_index(shares, i)) == VIOMMU_SHARE_TYPE_VIRTIOFS &&
            !check_virtiofs(build, i, error))
            return false;
    return true;
}

/* A dry run does not know its user. */
static void note_limits(ViommuPlanBuild *build)
{
    const ViommuPlanInput *input = build->input;

    if (!input->asker && viommu_host_secmodel(input->host, "dac"))
        viommu_plan_warn(build, "only root may share directories by the system's viommud");
}

static void note_share(ViommuPlanBuild *build, const ViommuPlanShare *share)
{
    if (share->type == VIOMMU_SHARE_TYPE_9P)
        viommu_plan_note(
            build, "the guest can mount '%s' by 9p, with the tag '%s'%s", share->path, share->tag,
            !share->mapped ? "" : "; the owners and modes that it sets are in extended attributes only");
    else
        viommu_plan_note(build, "the guest can mount '%s' by virtiofs, with the tag '%s'", share->path,
                         share->tag);
    if (build->plan->iommu.translate && !share->translated)
        viommu_plan_warn(
            build,
            "the device of share '%s' is outside the IOMMU, because QEMU cannot have virtiofs behind it; use shares[].type '9p' to have it inside",
            share->tag);
}

void viommu_plan_settle_shares(ViommuPlanBuild *build)
{
    const GPtrArray *shares = build->request->shares;
    ViommuPlan *plan = build->plan;

    for (guint i = 0; shares && i < shares->len; i++) {
        const ViommuRequestShare *asked = g_ptr_array_index(shares, i);
        ViommuPlanShare *share = g_new0(ViommuPlanShare, 1);

        share->type = type_of(asked);
        share->path = g_strdup(asked->path);
        share->tag = g_strdup(asked->tag);
        share->read_only = asked->read_only == 1;
        /* So what a guest writes makes no setuid file. */
        share->mapped = share->type == VIOMMU_SHARE_TYPE_9P && !share->read_only;
        share->translated = viommu_plan_marks_virtio(plan) && share->type == VIOMMU_SHARE_TYPE_9P;
        plan->shared_memory = plan->shared_memory || share->type == VIOMMU_SHARE_TYPE_VIRTIOFS;
        g_ptr_array_add(plan->shares, share);
        note_share(build, share);
    }
    if (shares)
        note_limits(build);
}
