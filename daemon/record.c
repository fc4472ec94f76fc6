/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record: read, altered, written. */
#include "daemon/record.h"

#include "daemon/fault.h"
#include "lib/metadata.h"

static void apply(ViommuMetadata *metadata, const ViommuRecordChange *change)
{
    if (change->phase != VIOMMU_STATE_LAST)
        metadata->phase = change->phase;
    if (change->lease_end_usec == 0)
        return;
    metadata->lease_end_usec = change->lease_end_usec;
    g_free(metadata->boot);
    metadata->boot = g_strdup(change->boot);
}

bool viommu_record_change(ViommuBackend *backend, const char *uuid, const ViommuRecordChange *change,
                          GError **error)
{
    g_autofree char *before = viommu_backend_get_metadata(backend, uuid, error), *after = NULL;
    g_autoptr(ViommuMetadata) metadata = before ? viommu_metadata_from_xml(before, error) : NULL;

    if (!metadata)
        return false;
    apply(metadata, change);
    after = viommu_metadata_to_xml(metadata);
    return viommu_backend_set_metadata(backend, uuid, after, error);
}
