/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-bounds: the memory of users on hosts of each size: a machine with the defaults fits wherever
 * the host has room for one. */
#include "tests/unit/unit.h"

#include "lib/policy/bounds.h"
#include "lib/base/quantity.h"

static const struct {
    uint64_t host_mib, machine_mib, all_mib, user_mib;
} cases[] = {
    {0, 1024, 0, 0}, /* not known */
    {512, 1024, 256, 128},
    {1000, 1024, 500, 250},   /* too small for one */
    {1400, 1024, 1024, 1024}, /* the smallest that has room */
    {1900, 1024, 1024, 1024}, /* "2 GiB" */
    {2048, 1024, 1024, 1024},
    {2500, 1024, 1476, 1024},
    {3072, 1024, 2048, 1024}, /* from here on half of it is more */
    {4096, 1024, 3072, 1536},
    {4096, 4096, 3072, 1536}, /* a site whose default does not fit */
    {4096, 2048, 3072, 2048},
    {1000, 128, 500, 250},
    {32768, 1024, 30720, 15360},
};

START_TEST(memory)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        const ViommuBoundsHost host = {.memory_bytes = cases[i].host_mib * VIOMMU_MIB, .cpus = 1};
        ViommuBounds bounds;

        viommu_bounds_derive(&host, cases[i].machine_mib * VIOMMU_MIB, &bounds);
        ck_assert_msg(bounds.limits.all[VIOMMU_RESOURCE_MEMORY] == cases[i].all_mib * VIOMMU_MIB,
                      "%" G_GUINT64_FORMAT " MiB: all %" G_GUINT64_FORMAT, cases[i].host_mib,
                      bounds.limits.all[VIOMMU_RESOURCE_MEMORY] / VIOMMU_MIB);
        ck_assert_msg(bounds.limits.user[VIOMMU_RESOURCE_MEMORY] == cases[i].user_mib * VIOMMU_MIB,
                      "%" G_GUINT64_FORMAT " MiB: user %" G_GUINT64_FORMAT, cases[i].host_mib,
                      bounds.limits.user[VIOMMU_RESOURCE_MEMORY] / VIOMMU_MIB);
    }
}
END_TEST

/* A larger host never allows less. */
START_TEST(memory_grows)
{
    uint64_t all = 0, user = 0;

    for (uint64_t mib = 1; mib < 40000; mib++) {
        const ViommuBoundsHost host = {.memory_bytes = mib * VIOMMU_MIB, .cpus = 1};
        ViommuBounds bounds;

        viommu_bounds_derive(&host, VIOMMU_GIB, &bounds);
        ck_assert_uint_ge(bounds.limits.all[VIOMMU_RESOURCE_MEMORY], all);
        ck_assert_uint_ge(bounds.limits.user[VIOMMU_RESOURCE_MEMORY], user);
        ck_assert_uint_le(bounds.limits.all[VIOMMU_RESOURCE_MEMORY], host.memory_bytes);
        ck_assert_uint_le(bounds.limits.user[VIOMMU_RESOURCE_MEMORY],
                          bounds.limits.all[VIOMMU_RESOURCE_MEMORY]);
        all = bounds.limits.all[VIOMMU_RESOURCE_MEMORY];
        user = bounds.limits.user[VIOMMU_RESOURCE_MEMORY];
    }
}
END_TEST

UNIT_MAIN("bounds", memory, memory_grows)
