/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* extension: one call of libvirt. */
#include "daemon/extension.h"

struct ViommuExtension {
    ViommuBackend *backend;
    ViommuExtensionFunc func;
    void *userdata;
    char *uuid, *metadata;
    uint64_t end_usec;
    GError *error;
};

static void work_write(void *data)
{
    ViommuExtension *extension = data;

    viommu_backend_set_metadata(extension->backend, extension->uuid, extension->metadata, &extension->error);
}

static void done_write(void *data)
{
    ViommuExtension *extension = data;

    extension->func(extension, extension->error, extension->userdata);
}

ViommuExtension *viommu_extension_new(ViommuBackend *backend, ViommuWorker *worker,
                                      const ViommuMachine *machine, ViommuExtensionFunc func, void *userdata)
{
    g_autoptr(ViommuMetadata) metadata = viommu_machine_to_metadata(machine, machine->state);
    ViommuExtension *extension = g_new0(ViommuExtension, 1);

    extension->backend = backend;
    extension->func = func;
    extension->userdata = userdata;
    extension->uuid = g_strdup(machine->uuid);
    extension->metadata = viommu_metadata_to_xml(metadata);
    extension->end_usec = machine->lease_end_usec;
    viommu_worker_run(worker, work_write, done_write, extension);
    return extension;
}

void viommu_extension_free(ViommuExtension *extension)
{
    if (!extension)
        return;
    g_free(extension->uuid);
    g_free(extension->metadata);
    g_clear_error(&extension->error);
    g_free(extension);
}

const char *viommu_extension_uuid(const ViommuExtension *extension)
{
    return extension->uuid;
}

uint64_t viommu_extension_end(const ViommuExtension *extension)
{
    return extension->end_usec;
}
