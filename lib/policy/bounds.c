/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bounds: the formulas, which viommud.conf(5) also states. */
#include "lib/policy/bounds.h"

#include "lib/base/quantity.h"

#define MACHINES_PER_USER 64
#define VCPUS_PER_CPU     16
#define RESERVE_MIN_BYTES VIOMMU_GIB
#define RESERVE_PART      16
#define COPIES_PART       4
#define COPIES_MAX_BYTES  (64 * VIOMMU_GIB)
#define OVERLAYS_TIMES    2
#define FREE_PART         20
#define FREE_MAX_BYTES    (4 * VIOMMU_GIB)
#define LOGS_PART         10
#define LOGS_MAX_BYTES    VIOMMU_GIB

/* One user may have at most this part of the limit for all users. */
#define USERS_PART 2

static const struct {
    const char *all, *user;
} words[VIOMMU_RESOURCE_LAST] = {
    [VIOMMU_RESOURCE_MACHINES] = {NULL, "the same on every host"},
    [VIOMMU_RESOURCE_VCPUS] = {"16 for each CPU of this host", "half of what all users together may have"},
    [VIOMMU_RESOURCE_MEMORY] =
        {"this host's memory less one sixteenth of it or 1 GiB, whichever is more; on a small host, enough for one machine",
         "half of what all users together may have, but enough for one machine"},
    [VIOMMU_RESOURCE_COPIES] = {"a quarter of their file system, at most 64 GiB",
                                "half of what all users together may have"},
    [VIOMMU_RESOURCE_OVERLAYS] = {"twice the size of their file system, as guests rarely fill their disks",
                                  "half of what all users together may have"},
};

static uint64_t whole_mebibytes(uint64_t bytes)
{
    return bytes / VIOMMU_MIB * VIOMMU_MIB;
}

/* A small disk is bounded, too: 0 would mean no bound. */
static uint64_t part_of_disk(uint64_t disk_bytes, uint64_t part, uint64_t max_bytes)
{
    return disk_bytes ? CLAMP(whole_mebibytes(disk_bytes / part), VIOMMU_MIB, max_bytes) : 0;
}

/* QEMU needs memory besides its guest's, and so does the host.  A small host that has room for one
 * machine of the default size may launch it. */
static uint64_t derive_memory(uint64_t host_bytes, uint64_t machine_bytes)
{
    uint64_t reserve = MAX(RESERVE_MIN_BYTES, host_bytes / RESERVE_PART);
    uint64_t all = whole_mebibytes(host_bytes > 2 * reserve ? host_bytes - reserve : host_bytes / 2);

    return machine_bytes <= host_bytes / 4 * 3 ? MAX(all, machine_bytes) : all;
}

static uint64_t derive_memory_per_user(uint64_t all_bytes, uint64_t machine_bytes)
{
    return machine_bytes <= all_bytes ? MAX(all_bytes / USERS_PART, machine_bytes) : all_bytes / USERS_PART;
}

void viommu_bounds_derive(const ViommuBoundsHost *host, uint64_t machine_bytes, ViommuBounds *ret_bounds)
{
    ViommuBounds bounds = {.console_log_bytes = LOGS_MAX_BYTES};
    uint64_t *all = bounds.limits.all, *user = bounds.limits.user;

    if (!host->own) {
        all[VIOMMU_RESOURCE_VCPUS] = VCPUS_PER_CPU * host->cpus;
        all[VIOMMU_RESOURCE_MEMORY] = derive_memory(host->memory_bytes, machine_bytes);
        all[VIOMMU_RESOURCE_COPIES] = part_of_disk(host->copies_disk_bytes, COPIES_PART, COPIES_MAX_BYTES);
        all[VIOMMU_RESOURCE_OVERLAYS] = OVERLAYS_TIMES * whole_mebibytes(host->copies_disk_bytes);
        for (int i = 0; i < VIOMMU_RESOURCE_LAST; i++)
            user[i] = all[i] / USERS_PART;
        user[VIOMMU_RESOURCE_MEMORY] = derive_memory_per_user(all[VIOMMU_RESOURCE_MEMORY], machine_bytes);
        user[VIOMMU_RESOURCE_MACHINES] = MACHINES_PER_USER;
    }
    /* A full disk stops guests, one's own too. */
    bounds.reserve_bytes = part_of_disk(host->copies_disk_bytes, FREE_PART, FREE_MAX_BYTES);
    if (host->logs_disk_bytes)
        bounds.console_log_bytes = part_of_disk(host->logs_disk_bytes, LOGS_PART, LOGS_MAX_BYTES);
    *ret_bounds = bounds;
}

const char *viommu_bounds_words(ViommuResource resource, bool per_user)
{
    return per_user ? words[resource].user : words[resource].all;
}

const char *viommu_bounds_log_words(void)
{
    return "a tenth of their file system, at most 1 GiB";
}

const char *viommu_bounds_reserve_words(void)
{
    return "a twentieth of their file system, at most 4 GiB";
}
