/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* removal: nothing of a machine is left.  Does not know why it ends. */
#include "daemon/removal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include "daemon/copies.h"
#include "daemon/fault.h"
#include "lib/error.h"

static bool delete_file(const char *what, const char *path, GError **error)
{
    if (!path || g_unlink(path) == 0 || errno == ENOENT)
        return true;
    g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL, "cannot delete the %s '%s': %s", what, path,
                g_strerror(errno));
    return false;
}

/* The domain goes last: as long as it is there, its metadata says what else must be removed. */
bool viommu_removal_run(ViommuBackend *backend, const char *copies, const char *uuid, const char *console_log,
                        GError **error)
{
    g_autoptr(GError) undeleted = NULL;

    VIOMMU_FAULT(before_destroy);
    if (!viommu_backend_destroy(backend, uuid, error))
        return false;
    VIOMMU_FAULT(after_destroy);
    delete_file("console log", console_log, &undeleted);
    viommu_copies_remove(copies, uuid, undeleted ? NULL : &undeleted);
    VIOMMU_FAULT(after_unlink);
    if (!viommu_backend_undefine(backend, uuid, error))
        return false;
    VIOMMU_FAULT(after_undefine);
    if (!undeleted)
        return true;
    g_propagate_error(error, g_steal_pointer(&undeleted));
    return false;
}
