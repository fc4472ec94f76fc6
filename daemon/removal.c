/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* removal: nothing of a machine is left.  Does not know why it ends. */
#include "daemon/removal.h"

#include "daemon/copies.h"
#include "daemon/fault.h"

/* The domain goes last: as long as it is there, its metadata says what else must be removed. */
bool viommu_removal_run(ViommuBackend *backend, const char *copies, const char *uuid, GError **error)
{
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
    if (!undeleted)
        return true;
    g_propagate_error(error, g_steal_pointer(&undeleted));
    return false;
}
