/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-write: changes one domain's metadata in a worker. */
#include "daemon/jobs/lease-write.h"

#include "daemon/process/boottime.h"
#include "daemon/process/fault.h"
#include "daemon/jobs/metadata-update.h"

struct ViommuExtension {
    ViommuBackend *backend;
    ViommuExtensionFunc func;
    void *userdata;
    char *uuid;
    ViommuMetadataChange change;
    GError *error;
    bool written;  /* the worker has finished, with or without error */
    bool released; /* the receiver freed it before that */
};

static void work_write(void *data)
{
    ViommuExtension *extension = data;

    VIOMMU_FAULT(before_extend);
    viommu_record_change(extension->backend, extension->uuid, &extension->change, &extension->error);
    VIOMMU_FAULT(after_extend);
}

static void done_write(void *data)
{
    ViommuExtension *extension = data;

    extension->written = true;
    if (extension->released)
        viommu_extension_free(extension);
    else
        extension->func(extension, extension->error, extension->userdata);
}

ViommuExtension *viommu_extension_new(ViommuBackend *backend, ViommuWorker *worker,
                                      const ViommuMachine *machine, ViommuExtensionFunc func, void *userdata)
{
    ViommuExtension *extension = g_new0(ViommuExtension, 1);

    extension->backend = backend;
    extension->func = func;
    extension->userdata = userdata;
    extension->uuid = g_strdup(machine->uuid);
    extension->change =
        (ViommuMetadataChange){VIOMMU_STATE_LAST, machine->lease_end_usec, viommu_boottime_boot()};
    viommu_worker_run(worker, machine->owner_uid, work_write, done_write, extension);
    return extension;
}

void viommu_extension_free(ViommuExtension *extension)
{
    if (!extension)
        return;
    extension->released = true;
    if (!extension->written)
        return;
    g_free(extension->uuid);
    g_clear_error(&extension->error);
    g_free(extension);
}

const char *viommu_extension_uuid(const ViommuExtension *extension)
{
    return extension->uuid;
}

uint64_t viommu_extension_end(const ViommuExtension *extension)
{
    return extension->change.lease_end_usec;
}
