/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* take-back: libvirt has returned the devices when it reports that the guest has ended; a driver
 * may take a moment longer. */
#include "daemon/jobs/take-back.h"

#include "lib/domain/attached.h"
#include "lib/domain/metadata.h"
#include "lib/domain/strays.h"

#define TIMEOUT_USEC G_USEC_PER_SEC
#define STEP_USEC    (G_USEC_PER_SEC / 10)

char *viommu_take_back_list(ViommuBackend *backend, const char *uuid)
{
    g_autofree char *xml = viommu_backend_get_metadata(backend, uuid, NULL);
    g_autofree char *additions = xml ? viommu_backend_get_additions(backend, uuid) : NULL;
    g_autoptr(ViommuMetadata) metadata = xml ? viommu_metadata_from_xml(xml, additions, NULL) : NULL;

    g_autofree char *record = viommu_backend_get_attached(backend, uuid);
    g_autoptr(GPtrArray) attached = record ? viommu_attached_from_xml(record, NULL) : NULL;
    g_autofree char *later = viommu_attached_host_drivers(attached);

    if (!metadata || !metadata->host_drivers)
        return g_steal_pointer(&later);
    return g_strjoin(" ", metadata->host_drivers, later, NULL);
}

static char *describe(ViommuBackend *backend, const char *taken, const char *const *held)
{
    ViommuTopology topology;
    char *words = NULL;

    viommu_fields_init(&viommu_topology_fields, &topology);
    if (viommu_backend_read_topology(backend, &topology, NULL))
        words = viommu_strays_describe(taken, &topology, held);
    viommu_fields_clear(&viommu_topology_fields, &topology);
    return words;
}

/* The addresses of devices that running guests have.  Owned; the texts are borrowed from
 * @holders. */
static const char **addresses_of(const GPtrArray *holders)
{
    GPtrArray *addresses = g_ptr_array_new();

    for (guint i = 0; holders && i < holders->len; i++) {
        char **hostdevs = ((const ViommuHolder *)g_ptr_array_index(holders, i))->hostdevs;

        for (char **address = hostdevs; address && *address; address++)
            g_ptr_array_add(addresses, *address);
    }
    g_ptr_array_add(addresses, NULL);
    return (const char **)g_ptr_array_free(addresses, FALSE);
}

char *viommu_take_back_look(ViommuBackend *backend, const char *taken)
{
    const gint64 end = g_get_monotonic_time() + TIMEOUT_USEC;
    g_autoptr(GPtrArray) holders = NULL;
    g_autofree const char **held = NULL;
    char *words = NULL;

    while (taken && (words = describe(backend, taken, held))) {
        if (g_get_monotonic_time() >= end)
            break;
        if (!held) {
            holders = viommu_backend_list_holders(backend, NULL);
            held = addresses_of(holders);
        }
        g_free(words);
        g_usleep(STEP_USEC);
    }
    return words;
}

typedef struct Look {
    ViommuBackend *backend;
    char *name, *uuid;
    uint32_t owner_uid;
    char *strays;
} Look;

static void work_look(void *data)
{
    Look *look = data;
    g_autofree char *taken = viommu_take_back_list(look->backend, look->uuid);

    look->strays = viommu_take_back_look(look->backend, taken);
}

static void done_look(void *data)
{
    Look *look = data;
    const ViommuJournalSubject subject = {look->name, look->uuid, &look->owner_uid};

    if (look->strays)
        viommu_journal_not_given_back(&subject, look->strays);
    g_free(look->strays);
    g_free(look->name);
    g_free(look->uuid);
    g_free(look);
}

void viommu_take_back_begin(ViommuWorker *worker, ViommuBackend *backend, const ViommuJournalSubject *subject)
{
    Look *look = g_new0(Look, 1);

    *look = (Look){backend, g_strdup(subject->name), g_strdup(subject->uuid), *subject->owner_uid, NULL};
    viommu_worker_run(worker, look->owner_uid, work_look, done_look, look);
}
