/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-state: the functions of daemon/libvirt/backend.h that tell whether a guest runs, and
 * what it takes. */
#include "tests/daemon/fake-backend.h"

bool viommu_backend_is_active(ViommuBackend *backend, const char *uuid, bool *ret_active, GError **error)
{
    g_autoptr(GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new(&fake_lock);
    const FakeDomain *domain = fake_find_held(uuid);

    if (!domain)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND, "there is no domain %s", uuid);
    else
        *ret_active = domain->active;
    return domain;
}

bool viommu_backend_find_pause(ViommuBackend *backend, const char *uuid, ViommuPause *ret_pause,
                               GError **error)
{
    const FakeDomain *domain;
    ViommuPause pause;
    bool there;

    g_mutex_lock(&fake_lock);
    domain = fake_find_held(uuid);
    there = domain;
    /* As it is when the question is asked, though the answer may be late. */
    pause = there ? domain->pause : VIOMMU_PAUSE_NONE;
    g_mutex_unlock(&fake_lock);
    if (!there || !fake_script_begin(FAKE_FIND_PAUSE, error))
        return false;
    *ret_pause = pause;
    return fake_script_end(FAKE_FIND_PAUSE, error);
}

GArray *viommu_backend_read_usage(ViommuBackend *backend, GError **error)
{
    g_autoptr(GArray) found = NULL;

    if (!fake_script_begin(FAKE_USAGE, error))
        return NULL;
    found = fake_usage_held();
    return fake_script_end(FAKE_USAGE, error) ? g_steal_pointer(&found) : NULL;
}
