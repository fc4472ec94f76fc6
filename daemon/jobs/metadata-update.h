/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* metadata-update: reads a domain's metadata, changes a part of it and writes it back.  So viommud
 * need not keep in memory what only the domain must store, such as the request.  Knows the backend;
 * does not know machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "lib/domain/metadata.h"

/** Blocks.  Nothing else may change this domain's metadata meanwhile.  Fails: like the backend;
 *  INTERNAL when the stored metadata cannot be read. */
bool viommu_record_change(ViommuBackend *backend, const char *uuid, const ViommuMetadataChange *change,
                          GError **error);
