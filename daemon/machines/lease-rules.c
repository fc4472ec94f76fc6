/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-rules: the longest lease, and the default lease. */
#include "daemon/machines/lease-rules.h"

#include "daemon/process/boottime.h"
#include "lib/base/error.h"
#include "lib/domain/lease-boot.h"

bool viommu_lease_check(const ViommuConfig *config, uint64_t seconds, GError **error)
{
    uint64_t max = config->lease_max_seconds;

    if (max == 0 || seconds <= max)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                       "a lease of %" G_GUINT64_FORMAT
                       " seconds was requested, but [leases] max-seconds is %" G_GUINT64_FORMAT
                       "; request less, and extend the lease in time",
                       seconds, max);
}

/* The lease for a request without one; 0: none. */
static uint64_t seconds_of_site(const ViommuConfig *config)
{
    uint64_t max = config->lease_max_seconds, seconds = config->lease_default_seconds;

    if (seconds == 0 || (max > 0 && seconds > max))
        return max;
    return seconds;
}

bool viommu_lease_settle(const ViommuConfig *config, const ViommuRequest *request, const ViommuAsker *asker,
                         ViommuLease *ret_lease, GError **error)
{
    bool asked = request->lease.seconds != VIOMMU_UNSET_NUMBER, bound = viommu_asker_is_bound(asker);
    ViommuLease lease = {.seconds = asked ? request->lease.seconds : 0,
                         .service = asker->kind != VIOMMU_ASKER_OWN};

    if (asked && bound && !viommu_lease_check(config, lease.seconds, error)) {
        g_prefix_error(error, "lease.seconds: ");
        return false;
    }
    if (!asked && bound)
        lease.seconds = seconds_of_site(config);
    if (!asked && lease.seconds)
        lease.note = g_strdup_printf(
            "this site gives the machine a lease of %" G_GUINT64_FORMAT
            " seconds, because the request has none ([leases] of viommud.conf); extend it to keep the machine",
            lease.seconds);
    *ret_lease = lease;
    return true;
}

void viommu_lease_begin(ViommuLease *lease)
{
    if (lease->seconds)
        lease->end_usec = viommu_boottime_now() + lease->seconds * G_USEC_PER_SEC;
}

void viommu_lease_write(const ViommuLease *lease, ViommuMetadata *metadata)
{
    viommu_lease_boot_write(metadata, lease->end_usec, viommu_boottime_boot(), lease->service);
    if (lease->note)
        viommu_metadata_add_warning(metadata, lease->note);
}

void viommu_lease_clear(ViommuLease *lease)
{
    g_clear_pointer(&lease->note, g_free);
}
