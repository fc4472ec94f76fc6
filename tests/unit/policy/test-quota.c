/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-quota: each limit reached, passed and absent, with its message. */
#include "tests/unit/unit.h"

#include "lib/policy/quota.h"
#include "lib/base/quantity.h"

/* One resource at a time: the other numbers are 0, which means no limit. */
static const struct {
    ViommuResource resource;
    uint64_t limit, used, wanted;
    bool user;
    int code; /* VIOMMU_ERROR_LAST: allowed */
    const char *message;
} cases[] = {
    {VIOMMU_RESOURCE_MACHINES, 0, 1000000, 1, false, VIOMMU_ERROR_LAST, NULL},
    {VIOMMU_RESOURCE_MACHINES, 3, 2, 1, false, VIOMMU_ERROR_LAST, NULL},
    {VIOMMU_RESOURCE_MACHINES, 3, 3, 1, false, VIOMMU_ERROR_BUSY,
     "all users together have 3 machines, and 1 more would exceed [limits] machines=3; stop one first"},
    {VIOMMU_RESOURCE_MACHINES, 3, 4, 1, true, VIOMMU_ERROR_BUSY,
     "user 1000 has 4 machines, and 1 more would exceed [limits] machines-per-user=3; stop one first"},
    {VIOMMU_RESOURCE_VCPUS, 8, 4, 4, false, VIOMMU_ERROR_LAST, NULL},
    {VIOMMU_RESOURCE_VCPUS, 8, 5, 4, false, VIOMMU_ERROR_BUSY,
     "all users together have 5 vCPUs, and 4 more would exceed [limits] vcpus=8; stop a machine first"},
    {VIOMMU_RESOURCE_VCPUS, 8, 5, 4, true, VIOMMU_ERROR_BUSY,
     "user 1000 has 5 vCPUs, and 4 more would exceed [limits] vcpus-per-user=8; stop a machine first"},
    {VIOMMU_RESOURCE_VCPUS, 8, 0, 9, true, VIOMMU_ERROR_POLICY_REFUSED,
     "9 vCPUs requested, but [limits] vcpus-per-user is 8; request less"},
    {VIOMMU_RESOURCE_MEMORY, 4 * VIOMMU_GIB, 3 * VIOMMU_GIB, 2 * VIOMMU_GIB, false, VIOMMU_ERROR_BUSY,
     "all users together have 3 GiB of memory, and 2 GiB more would exceed [limits] memory=4 GiB; stop a machine first"},
    {VIOMMU_RESOURCE_MEMORY, 4 * VIOMMU_GIB, 0, UINT64_MAX, false, VIOMMU_ERROR_POLICY_REFUSED,
     "18446744073709551615 B of memory requested, but [limits] memory is 4 GiB; request less"},
    {VIOMMU_RESOURCE_MEMORY, 4 * VIOMMU_GIB, 2 * VIOMMU_GIB, 2 * VIOMMU_GIB, true, VIOMMU_ERROR_LAST, NULL},
    {VIOMMU_RESOURCE_LOCKED_MEMORY, 4 * VIOMMU_GIB, 2 * VIOMMU_GIB, 2 * VIOMMU_GIB, false, VIOMMU_ERROR_LAST,
     NULL},
    {VIOMMU_RESOURCE_LOCKED_MEMORY, 4 * VIOMMU_GIB, 2 * VIOMMU_GIB, 3 * VIOMMU_GIB, false, VIOMMU_ERROR_BUSY,
     "all users together have 2 GiB of locked memory and huge pages, and 3 GiB more would exceed [limits] locked-memory=4 GiB; stop a machine first"},
    {VIOMMU_RESOURCE_LOCKED_MEMORY, 4 * VIOMMU_GIB, 0, 5 * VIOMMU_GIB, true, VIOMMU_ERROR_POLICY_REFUSED,
     "5 GiB of locked memory and huge pages requested, but [limits] locked-memory-per-user is 4 GiB; request less"},
    {VIOMMU_RESOURCE_PENDING_LAUNCHES, 2, 2, 1, false, VIOMMU_ERROR_BUSY,
     "all users together have 2 launches under way, and 1 more would exceed [limits] pending-launches=2; try again later"},
    {VIOMMU_RESOURCE_PENDING_LAUNCHES, 1, 1, 1, true, VIOMMU_ERROR_BUSY,
     "user 1000 has 1 launches under way, and 1 more would exceed [limits] pending-launches-per-user=1; try again later"},
};

START_TEST(each_limit)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        ViommuAmounts limits = {{0}, {0}}, used = {{0}, {0}};
        uint64_t wanted[VIOMMU_RESOURCE_LAST] = {0};
        g_autoptr(GError) error = NULL;
        bool allowed;

        (cases[i].user ? limits.user : limits.all)[cases[i].resource] = cases[i].limit;
        (cases[i].user ? used.user : used.all)[cases[i].resource] = cases[i].used;
        wanted[cases[i].resource] = cases[i].wanted;
        allowed = viommu_quota_check(&limits, &used, wanted, 1000, &error);
        ck_assert_int_eq(allowed, cases[i].code == VIOMMU_ERROR_LAST);
        if (allowed)
            ck_assert_ptr_null(error);
        else
            unit_assert_error(error, (ViommuError)cases[i].code, cases[i].message);
    }
}
END_TEST

UNIT_MAIN("quota", each_limit)
