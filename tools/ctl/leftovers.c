/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/leftovers.h"

#include "daemon/files/boot-copies.h"
#include "daemon/manager/orphans.h"
#include "lib/base/error.h"
#include "lib/base/names.h"

/* Also false when viommud does not tell. */
static bool is_uncounted(ViommuClient *client, const char *uuid)
{
    const ViommuClientCall call = {.path = VIOMMU_BUS_PATH,
                                   .interface = VIOMMU_IFACE_MANAGER,
                                   .method = "GetMachine",
                                   .arguments = g_variant_new("(s)", uuid)};
    g_autoptr(GError) error = NULL;

    return !viommu_client_call(client, &call, NULL, NULL, &error) &&
           g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND);
}

/* A machine that ended after the domains were listed is not a leftover. */
static bool is_still_there(ViommuBackend *backend, const char *uuid)
{
    bool active;

    return viommu_backend_is_active(backend, uuid, &active, NULL);
}

/* Keeps in @leftovers->domains only those that viommud does not count. */
static void drop_counted(ViommuClient *client, ViommuBackend *backend, ViommuLeftovers *leftovers)
{
    for (guint i = leftovers->domains->len; i-- > 0;) {
        const ViommuDomain *domain = g_ptr_array_index(leftovers->domains, i);

        if (client && is_uncounted(client, domain->uuid) && is_still_there(backend, domain->uuid))
            continue;
        leftovers->n_machines++;
        g_ptr_array_remove_index(leftovers->domains, i);
    }
}

/* A copy is made after its domain is defined, so @copies were listed before the domains. */
static void drop_used(GHashTable *copies, const GPtrArray *domains)
{
    for (guint i = 0; i < domains->len; i++)
        g_hash_table_remove(copies, ((const ViommuDomain *)g_ptr_array_index(domains, i))->uuid);
}

ViommuLeftovers *viommu_ctl_find_leftovers(ViommuClient *client, const char *uri, bool system,
                                           const ViommuConfig *config)
{
    const char *prefix = system && config ? config->name_prefix : NULL;
    g_autoptr(ViommuLeftovers) leftovers = g_new0(ViommuLeftovers, 1);
    ViommuBackend *backend = NULL;

    if (!viommu_backend_new(uri, 1, &backend, NULL))
        return NULL;
    leftovers->directory = viommu_copies_directory(!system);
    leftovers->copies = viommu_copies_list(leftovers->directory);
    leftovers->domains = viommu_backend_list(backend, NULL);
    if (leftovers->domains) {
        drop_used(leftovers->copies, leftovers->domains);
        drop_counted(client, backend, leftovers);
        leftovers->names =
            prefix && *prefix ? viommu_backend_list_unmarked(backend, prefix, NULL) : g_ptr_array_new();
        leftovers->orphans =
            viommu_orphans_find(backend, "/", VIOMMU_ORPHANS_DIRECTORY, prefix ? prefix : "");
    }
    viommu_backend_free(backend);
    return leftovers->domains && leftovers->names ? g_steal_pointer(&leftovers) : NULL;
}
