/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata-update: reads, changes, writes. */
#include "daemon/jobs/metadata-update.h"

bool viommu_record_change(ViommuBackend *backend, const char *uuid, const ViommuMetadataChange *change,
                          GError **error)
{
    g_autofree char *before = viommu_backend_get_metadata(backend, uuid, error);
    g_autofree char *after = before ? viommu_metadata_change(before, change, error) : NULL;

    return after && viommu_backend_set_metadata(backend, uuid, after, error);
}
