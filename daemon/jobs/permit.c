/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* permit: looks up a user's groups, and asks libvirt about the networks that a request names. */
#include "daemon/jobs/permit.h"

#include "daemon/files/unix-user.h"

void viommu_permit_init(ViommuPermit *permit, const ViommuAsker *asker)
{
    permit->asker = *asker;
    permit->asker.names = g_strdupv(asker->names);
    permit->asker.granted = g_strdupv(asker->granted);
    permit->asker.verdict = g_strdup(asker->verdict);
}

bool viommu_permit_is_needed(const ViommuPermit *permit, const ViommuRequest *request)
{
    return permit->asker.kind == VIOMMU_ASKER_MEMBER && (request->hostdevs || request->networks);
}

static void learn_names(ViommuAsker *asker, const ViommuSite *site)
{
    g_autoptr(ViommuAccount) account = viommu_account_find(asker->uid);
    GPtrArray *names = g_ptr_array_new();

    for (guint i = 0; i < site->devices->len; i++) {
        const ViommuSiteDevice *device = g_ptr_array_index(site->devices, i);

        if (!*device->group || viommu_account_is_in(account, device->group))
            g_ptr_array_add(names, g_strdup(device->name));
    }
    g_ptr_array_add(names, NULL);
    g_strfreev(asker->names);
    asker->names = (char **)g_ptr_array_free(names, FALSE);
}

/* libvirt is only asked about networks that the site lists; all others are refused, whatever they
 * are. */
static bool is_listed(const ViommuSite *site, const ViommuRequestNetwork *network)
{
    return network->type == VIOMMU_NETWORK_TYPE_NETWORK &&
           g_strv_contains((const char *const *)site->networks, network->source);
}

static bool learn_networks(ViommuPermit *permit, ViommuBackend *backend, const ViommuSite *site,
                           const ViommuRequest *request, GError **error)
{
    guint n = request->networks ? request->networks->len : 0;
    g_auto(GStrv) modes = g_new0(char *, n + 1);

    for (guint i = 0; i < n; i++) {
        const ViommuRequestNetwork *network = g_ptr_array_index(request->networks, i);

        modes[i] = is_listed(site, network) ? viommu_backend_network_mode(backend, network->source, error)
                                            : g_strdup("");
        if (!modes[i])
            return false;
    }
    g_strfreev(permit->forward_modes);
    permit->forward_modes = g_steal_pointer(&modes);
    return true;
}

bool viommu_permit_learn(ViommuPermit *permit, ViommuBackend *backend, const ViommuSite *site,
                         const ViommuRequest *request, GError **error)
{
    if (!viommu_permit_is_needed(permit, request))
        return true;
    learn_names(&permit->asker, site);
    return learn_networks(permit, backend, site, request, error);
}

void viommu_permit_clear(ViommuPermit *permit)
{
    g_clear_pointer(&permit->asker.names, g_strfreev);
    g_clear_pointer(&permit->asker.granted, g_strfreev);
    g_clear_pointer(&permit->asker.verdict, g_free);
    g_clear_pointer(&permit->forward_modes, g_strfreev);
}
