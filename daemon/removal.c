/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* removal: nothing of a machine is left.  Does not know why it ends. */
#include "daemon/removal.h"

#include <errno.h>
#include <glib/gstdio.h>
#include "lib/error.h"

bool viommu_removal_run(ViommuBackend *backend, const char *uuid, const char *console_log, GError **error)
{
    g_autoptr(GError) cause = NULL;

    if (!viommu_backend_destroy(backend, uuid, &cause) &&
        !g_error_matches(cause, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&cause));
        return false;
    }
    if (!viommu_backend_undefine(backend, uuid, error))
        return false;
    if (console_log && g_unlink(console_log) < 0 && errno != ENOENT) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL, "cannot delete the console log '%s': %s",
                    console_log, g_strerror(errno));
        return false;
    }
    return true;
}
