/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-write: writes the new end of a lease into the domain's metadata.  Knows the backend; does
 * not know other machines, clients or the bus. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"

typedef struct ViommuExtension ViommuExtension;

/** Called once on the loop, unless the receiver has freed @extension.  The receiver frees
 *  @extension. */
typedef void (*ViommuExtensionFunc)(ViommuExtension *extension, const GError *error, void *userdata);

/** Copies what it needs from @machine, whose lease already has its new end.  Begins at once.
 *  Owned. */
ViommuExtension *viommu_extension_new(ViommuBackend *backend, ViommuWorker *worker,
                                      const ViommuMachine *machine, ViommuExtensionFunc func, void *userdata);
/** A write under way finishes without a receiver. */
void viommu_extension_free(ViommuExtension *extension);
const char *viommu_extension_uuid(const ViommuExtension *extension);
/** The end of the lease that is written. */
uint64_t viommu_extension_end(const ViommuExtension *extension);
