/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause: why a guest is paused, by libvirt's reasons and QEMU's word on its disks; begins and ends
 * the pause. */
#include "daemon/libvirt/internal.h"

static const struct {
    int reason;
    ViommuPause pause;
} reasons[] = {
    {VIR_DOMAIN_PAUSED_USER, VIOMMU_PAUSE_SUSPENDED},
    {VIR_DOMAIN_PAUSED_IOERROR, VIOMMU_PAUSE_IO_ERROR},
};

ViommuPause viommu_pause_of(virDomainPtr domain)
{
    int state, reason;

    if (virDomainGetState(domain, &state, &reason, 0) < 0 || state != VIR_DOMAIN_PAUSED)
        return VIOMMU_PAUSE_NONE;
    for (size_t i = 0; i < G_N_ELEMENTS(reasons); i++)
        if (reasons[i].reason == reason)
            return reasons[i].pause;
    return VIOMMU_PAUSE_OTHER;
}

/* QEMU remembers it until the guest runs on, so it is known after a restart, too. */
static bool has_full_disk(virDomainPtr domain)
{
    int n = virDomainGetDiskErrors(domain, NULL, 0, 0);
    g_autofree virDomainDiskErrorPtr errors = n > 0 ? g_new0(virDomainDiskError, (gsize)n) : NULL;
    bool full = false;

    n = errors ? virDomainGetDiskErrors(domain, errors, (unsigned)n, 0) : n;
    for (int i = 0; errors && i < n; i++) {
        full = full || errors[i].error == VIR_DOMAIN_DISK_ERROR_NO_SPACE;
        free(errors[i].disk);
    }
    if (n < 0)
        virResetLastError();
    return full;
}

typedef struct Look {
    const char *uuid;
    ViommuPause pause;
} Look;

static bool look(virConnectPtr connection, void *data, GError **error)
{
    Look *seen = data;
    virDomainPtr domain = virDomainLookupByUUIDString(connection, seen->uuid);

    if (!domain)
        return viommu_libvirt_fail(error, "cannot find domain '%s'", seen->uuid);
    seen->pause = viommu_pause_of(domain);
    if (seen->pause == VIOMMU_PAUSE_IO_ERROR && has_full_disk(domain))
        seen->pause = VIOMMU_PAUSE_DISK_FULL;
    virDomainFree(domain);
    return true;
}

bool viommu_pause_find(ViommuPool *pool, const char *uuid, ViommuPause *ret_pause, GError **error)
{
    Look seen = {.uuid = uuid};

    if (!viommu_pool_call(pool, look, &seen, true, error))
        return false;
    *ret_pause = seen.pause;
    return true;
}

/* Libvirt refuses to pause what is paused, and to resume what runs, by versions. */
static bool is_in_state(virDomainPtr domain, int wanted)
{
    int state;

    return virDomainGetState(domain, &state, NULL, 0) == 0 && state == wanted;
}

typedef struct Change {
    const char *uuid, *what; /* for the error: "suspend" */
    int (*call)(virDomainPtr domain);
    int state; /* afterwards */
} Change;

static bool change(virConnectPtr connection, void *data, GError **error)
{
    const Change *order = data;
    virDomainPtr domain = virDomainLookupByUUIDString(connection, order->uuid);
    g_autoptr(GError) cause = NULL;
    bool ok = domain && order->call(domain) == 0;

    if (!ok)
        viommu_libvirt_fail(&cause, "cannot %s domain '%s'", order->what, order->uuid);
    ok = ok || (domain && is_in_state(domain, order->state));
    if (domain)
        virDomainFree(domain);
    if (!ok)
        g_propagate_error(error, g_steal_pointer(&cause));
    return ok;
}

bool viommu_pause_begin(ViommuPool *pool, const char *uuid, GError **error)
{
    Change order = {uuid, "suspend", virDomainSuspend, VIR_DOMAIN_PAUSED};

    return viommu_pool_call(pool, change, &order, true, error);
}

bool viommu_pause_end(ViommuPool *pool, const char *uuid, GError **error)
{
    Change order = {uuid, "resume", virDomainResume, VIR_DOMAIN_RUNNING};

    return viommu_pool_call(pool, change, &order, true, error);
}
