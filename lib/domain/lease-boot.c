/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-boot: zeros in <machine> stand for a boot that <additions> names, or for none. */
#include "lib/domain/lease-boot.h"

#define UNKNOWN "00000000000000000000000000000000"

bool viommu_lease_boot_is_known(const char *boot)
{
    return boot && !g_str_equal(boot, UNKNOWN);
}

void viommu_lease_boot_write(ViommuMetadata *metadata, uint64_t end_usec, const char *boot, bool service)
{
    bool beside = service && viommu_lease_boot_is_known(boot);

    metadata->lease_end_usec = end_usec;
    g_free(metadata->boot);
    g_free(metadata->host_boot);
    metadata->boot = end_usec ? g_strdup(beside ? UNKNOWN : boot) : NULL;
    metadata->host_boot = end_usec && beside ? g_strdup(boot) : NULL;
}

bool viommu_lease_boot_is(const ViommuMetadata *metadata, const char *boot)
{
    const char *own = viommu_lease_boot_is_known(metadata->boot) ? metadata->boot : metadata->host_boot;

    return !viommu_lease_boot_is_known(own) || !viommu_lease_boot_is_known(boot) || g_str_equal(own, boot);
}
