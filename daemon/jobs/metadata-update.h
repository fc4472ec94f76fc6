/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata-update: reads a domain's metadata, changes a part of it and writes it back.  So viommud
 * keeps nothing in memory that only the domain has to remember, such as the request.  Knows the
 * backend; does not know machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "lib/domain/metadata.h"

/** Blocks.  Nobody else may change the record of this domain meanwhile.  Fails: as the backend
 *  does; INTERNAL when what stands there cannot be read. */
bool viommu_record_change(ViommuBackend *backend, const char *uuid, const ViommuMetadataChange *change,
                          GError **error);
