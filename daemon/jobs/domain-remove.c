/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-remove: removes everything of a machine.  Does not know why it ends. */
#include "daemon/jobs/domain-remove.h"

#include "daemon/files/boot-copies.h"
#include "daemon/process/fault.h"
#include "daemon/jobs/take-back.h"

/* The domain is removed last: while it exists, its metadata tells what else must be removed. */
bool viommu_removal_run(ViommuBackend *backend, const char *copies, const char *uuid, char **ret_strays,
                        GError **error)
{
    g_autofree char *taken = viommu_take_back_list(backend, uuid);
    g_autoptr(GError) undeleted = NULL;

    VIOMMU_FAULT(before_destroy);
    if (!viommu_backend_destroy(backend, uuid, error))
        return false;
    VIOMMU_FAULT(after_destroy);
    viommu_copies_remove(copies, uuid, &undeleted);
    VIOMMU_FAULT(after_unlink);
    if (!viommu_backend_undefine(backend, uuid, error))
        return false;
    VIOMMU_FAULT(after_undefine);
    *ret_strays = viommu_take_back_look(backend, taken);
    if (!undeleted)
        return true;
    g_propagate_error(error, g_steal_pointer(&undeleted));
    return false;
}

typedef struct Removal {
    ViommuBackend *backend;
    const char *copies;
    ViommuRemovalOf of;
    char *uuid, *strays;
    GError *error;
} Removal;

static void work_remove(void *data)
{
    Removal *removal = data;

    VIOMMU_FAULT(before_undo);
    viommu_removal_run(removal->backend, removal->copies, removal->uuid, &removal->strays, &removal->error);
}

static void done_remove(void *data)
{
    Removal *removal = data;

    removal->of.func(removal->error, removal->strays, removal->of.userdata);
    g_free(removal->strays);
    g_free(removal->uuid);
    g_clear_error(&removal->error);
    g_free(removal);
}

void viommu_removal_begin(ViommuWorker *worker, ViommuBackend *backend, const char *copies,
                          const ViommuRemovalOf *of)
{
    Removal *removal = g_new0(Removal, 1);

    *removal = (Removal){backend, copies, *of, g_strdup(of->uuid), NULL, NULL};
    viommu_worker_run(worker, of->owner_uid, work_remove, done_remove, removal);
}
