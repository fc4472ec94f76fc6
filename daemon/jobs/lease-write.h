/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-write: writes the new end of a lease into the domain's metadata.  Knows the backend; does
 * not know other machines, clients or the bus. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"

typedef struct ViommuExtension ViommuExtension;

/** Called on the loop, once, unless the receiver has freed @extension; it frees it. */
typedef void (*ViommuExtensionFunc)(ViommuExtension *extension, const GError *error, void *userdata);

/** Copies what it needs of @machine, whose lease has its new end already.  Begins at once.
 *  Owned. */
ViommuExtension *viommu_extension_new(ViommuBackend *backend, ViommuWorker *worker,
                                      const ViommuMachine *machine, ViommuExtensionFunc func, void *userdata);
/** What is being written is written, without a receiver. */
void viommu_extension_free(ViommuExtension *extension);
const char *viommu_extension_uuid(const ViommuExtension *extension);
/** The end that is written. */
uint64_t viommu_extension_end(const ViommuExtension *extension);
