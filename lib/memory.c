/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/memory.h"

#include "lib/error.h"
#include "lib/quantity.h"

/* What QEMU itself needs beside the guest's memory: libvirt's own allowance, qemuDomainGetMemLockLimitBytes. */
#define QEMU_OVERHEAD VIOMMU_GIB
#define ORDINARY_PAGE (4 * VIOMMU_KIB)

static const uint64_t page_sizes[VIOMMU_ARCH_LAST][9] = {
    [VIOMMU_ARCH_X86_64] = {4 * VIOMMU_KIB, 2 * VIOMMU_MIB, VIOMMU_GIB},
    /* Granules of 4, 16 and 64 KiB with their block sizes. */
    [VIOMMU_ARCH_AARCH64] = {4 * VIOMMU_KIB, 16 * VIOMMU_KIB, 64 * VIOMMU_KIB, 2 * VIOMMU_MIB,
                             32 * VIOMMU_MIB, 512 * VIOMMU_MIB, VIOMMU_GIB, 16 * VIOMMU_GIB},
};

static bool page_size_exists(ViommuArch arch, uint64_t bytes)
{
    for (size_t i = 0; i < G_N_ELEMENTS(page_sizes[arch]); i++)
        if (page_sizes[arch][i] == bytes)
            return true;
    return false;
}

static bool check_pages(const ViommuPlan *plan, uint64_t page_bytes, GError **error)
{
    g_autofree char *page = viommu_quantity_format(page_bytes);

    if (!page_size_exists(plan->arch, page_bytes)) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED,
                    "memory-backing.page-size '%s' does not exist on %s%s", page,
                    viommu_arch_to_string(plan->arch),
                    plan->arch == VIOMMU_ARCH_X86_64 ? "; it has 4 KiB, 2 MiB and 1 GiB" : "");
        return false;
    }
    if (plan->memory_bytes % page_bytes != 0) {
        g_autofree char *memory = viommu_quantity_format(plan->memory_bytes);

        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST,
                    "memory '%s' is not a multiple of memory-backing.page-size '%s'", memory, page);
        return false;
    }
    return true;
}

static bool check_lock(const ViommuHost *host, uint64_t bound, GError **error)
{
    g_autofree char *needed = viommu_quantity_format(bound);
    uint64_t limit = host->locked_memory_bytes;
    g_autofree char *memory = viommu_quantity_format(host->memory_bytes);

    if (host->memory_bytes != VIOMMU_UNSET_NUMBER && bound > host->memory_bytes) {
        g_set_error(
            error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED,
            "memory-backing.locked needs %s (the guest's memory and 1 GiB for QEMU), but this host has %s",
            needed, memory);
        return false;
    }
    if (limit != VIOMMU_UNSET_NUMBER && bound > limit) {
        g_autofree char *allowed = viommu_quantity_format(limit);

        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED,
                    "memory-backing.locked needs %s of locked memory, but libvirt's daemon may lock %s; "
                    "raise LimitMEMLOCK= "
                    "of its unit (systemctl edit)",
                    needed, allowed);
        return false;
    }
    return true;
}

bool viommu_memory_plan(const ViommuRequest *request, const ViommuHost *host, const ViommuPolicy *policy,
                        ViommuPlan *plan, GError **error)
{
    uint64_t page = request->memory_backing.page_size_bytes;
    uint64_t bound = 0;

    plan->memory_bytes =
        request->memory_bytes == VIOMMU_UNSET_NUMBER ? policy->default_memory_bytes : request->memory_bytes;
    plan->locked = request->memory_backing.locked == 1;
    if (page != VIOMMU_UNSET_NUMBER && !check_pages(plan, page, error))
        return false;
    /* libvirt takes the system's own page size for "no huge pages"; so nothing is written for it. */
    plan->page_size_bytes = page == VIOMMU_UNSET_NUMBER || page == ORDINARY_PAGE ? 0 : page;
    if (plan->locked && (!viommu_quantity_mul_add(plan->memory_bytes, 1, QEMU_OVERHEAD, &bound) ||
                         !check_lock(host, bound, error)))
        return false;
    plan->memlock_bytes = bound;
    return true;
}
