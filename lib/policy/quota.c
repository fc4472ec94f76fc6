/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quota: the message of each limit, and the sums. */
#include "lib/policy/quota.h"

#include "lib/base/error.h"
#include "lib/base/quantity.h"

static const struct {
    const char *key;  /* in [limits] */
    const char *noun; /* "3 machines" */
    const char *remedy;
} resources[] = {
    [VIOMMU_RESOURCE_MACHINES] = {"machines", "machines", "stop one first"},
    [VIOMMU_RESOURCE_VCPUS] = {"vcpus", "vCPUs", "stop a machine first"},
    [VIOMMU_RESOURCE_MEMORY] = {"memory", "of memory", "stop a machine first"},
    [VIOMMU_RESOURCE_LOCKED_MEMORY] = {"locked-memory", "of locked memory and huge pages",
                                       "stop a machine first"},
    [VIOMMU_RESOURCE_PENDING_LAUNCHES] = {"pending-launches", "launches under way", "try again later"},
    [VIOMMU_RESOURCE_COPIES] = {"copies", "of copied kernels and initrds",
                                "stop a machine that has copies first"},
    [VIOMMU_RESOURCE_OVERLAYS] = {"overlays", "of overlays", "stop a machine that has overlays first"},
};
G_STATIC_ASSERT(G_N_ELEMENTS(resources) == VIOMMU_RESOURCE_LAST);

static char *format(ViommuResource resource, uint64_t amount)
{
    bool bytes = resource == VIOMMU_RESOURCE_MEMORY || resource == VIOMMU_RESOURCE_LOCKED_MEMORY ||
                 resource == VIOMMU_RESOURCE_COPIES || resource == VIOMMU_RESOURCE_OVERLAYS;

    return bytes ? viommu_quantity_format(amount) : g_strdup_printf("%" G_GUINT64_FORMAT, amount);
}

/* One number: @suffix of the key, @who has how much. */
typedef struct Limit {
    ViommuResource resource;
    uint64_t limit, used, wanted;
    const char *who, *suffix;
} Limit;

static bool check_one(const Limit *limit, GError **error)
{
    ViommuResource resource = limit->resource;
    g_autofree char *allowed = format(resource, limit->limit), *used = format(resource, limit->used);
    g_autofree char *wanted = format(resource, limit->wanted);
    const char *noun = resources[resource].noun, *key = resources[resource].key;

    if (limit->limit == 0 || limit->wanted == 0)
        return true;
    if (limit->wanted > limit->limit)
        return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                           "%s %s requested, but [limits] %s%s is %s; request less", wanted, noun, key,
                           limit->suffix, allowed);
    if (limit->used <= limit->limit - limit->wanted)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_BUSY, "%s %s %s, and %s more would exceed [limits] %s%s=%s; %s",
                       limit->who, used, noun, wanted, key, limit->suffix, allowed,
                       resources[resource].remedy);
}

bool viommu_quota_check(const ViommuAmounts *limits, const ViommuAmounts *used,
                        const uint64_t wanted[VIOMMU_RESOURCE_LAST], uint32_t uid, GError **error)
{
    g_autofree char *user = g_strdup_printf("user %u has", uid);

    for (int i = 0; i < VIOMMU_RESOURCE_LAST; i++) {
        Limit mine = {(ViommuResource)i, limits->user[i], used->user[i], wanted[i], user, "-per-user"};
        Limit all = {
            (ViommuResource)i, limits->all[i], used->all[i], wanted[i], "all users together have", ""};

        if (!check_one(&mine, error) || !check_one(&all, error))
            return false;
    }
    return true;
}
