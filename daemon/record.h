/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record: what stands in a domain's metadata, changed in part: read, altered, written.  So nothing that only the domain has
 * to remember, such as the request, is kept in memory.  Knows the backend; does not know machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/backend.h"
#include "lib/enum.h"

typedef struct ViommuRecordChange {
    ViommuState phase;       /* VIOMMU_STATE_LAST: as it is */
    uint64_t lease_end_usec; /* 0: as it is */
    const char *boot;        /* that lease_end_usec is of */
} ViommuRecordChange;

/** Blocks.  Nobody else may change the record of this domain meanwhile.  Fails: as the backend does; INTERNAL when what
 *  stands there cannot be read. */
bool viommu_record_change(ViommuBackend *backend, const char *uuid, const ViommuRecordChange *change,
                          GError **error);
