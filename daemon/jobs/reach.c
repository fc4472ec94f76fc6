/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach: one question for each kind. */
#include "daemon/jobs/reach.h"

#include "lib/domain/passt.h"
#include "lib/domain/vsock.h"

static bool read_vsock(ViommuBackend *backend, const char *uuid, ViommuReach *reach, GError **error)
{
    g_autofree char *xml = viommu_backend_get_xml(backend, uuid, error);
    g_autoptr(GError) cause = NULL;

    if (!xml)
        return false;
    reach->vsock_cid = viommu_domain_vsock_cid(xml, &cause);
    /* 0 without an error: libvirt has not chosen it yet. */
    if (!cause)
        return true;
    g_propagate_error(error, g_steal_pointer(&cause));
    return false;
}

static bool read_forwards(ViommuBackend *backend, const char *uuid, ViommuReach *reach, GError **error)
{
    g_autofree char *xml = viommu_backend_get_xml(backend, uuid, error);
    g_autoptr(GError) cause = NULL;

    if (!xml)
        return false;
    reach->forwards = viommu_domain_passt_forwards(xml, &cause);
    if (!reach->forwards && !cause)
        reach->forwards = viommu_backend_read_forwards(backend, uuid, &cause);
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    return reach->forwards != NULL;
}

/* As long as it has none, none are known. */
static bool read_addresses(ViommuBackend *backend, const char *uuid, ViommuReach *reach, GError **error)
{
    g_auto(GStrv) addresses = viommu_backend_read_addresses(backend, uuid, error);

    if (addresses && *addresses)
        reach->addresses = g_steal_pointer(&addresses);
    return reach->addresses || addresses;
}

static bool (*const readers[])(ViommuBackend *backend, const char *uuid, ViommuReach *reach,
                               GError **error) = {
    [VIOMMU_REACH_FORWARDS] = read_forwards,
    [VIOMMU_REACH_VSOCK] = read_vsock,
    [VIOMMU_REACH_ADDRESSES] = read_addresses,
};
G_STATIC_ASSERT(G_N_ELEMENTS(readers) == VIOMMU_REACH_LAST);

bool viommu_reach_read(ViommuBackend *backend, const char *uuid, uint64_t kinds, ViommuReach *reach,
                       GError **error)
{
    for (int kind = 0; kind < VIOMMU_REACH_LAST; kind++)
        if ((kinds & VIOMMU_BIT(kind)) && !readers[kind](backend, uuid, reach, error))
            return false;
    return true;
}

typedef struct Question {
    ViommuBackend *backend;
    char *uuid;
    uint64_t kinds;
    ViommuReachFunc func;
    void *userdata;
    ViommuReach reach;
    GError *error;
} Question;

static void work(void *data)
{
    Question *question = data;

    (void)viommu_reach_read(question->backend, question->uuid, question->kinds, &question->reach,
                            &question->error);
}

static void done(void *data)
{
    Question *question = data;

    question->func(question->uuid, &question->reach, question->error, question->userdata);
    viommu_reach_clear(&question->reach);
    g_clear_error(&question->error);
    g_free(question->uuid);
    g_free(question);
}

void viommu_reach_ask(const ViommuReachRoom *room, const ViommuMachine *machine, uint64_t kinds,
                      ViommuReachFunc func, void *userdata)
{
    Question *question = g_new0(Question, 1);

    question->backend = room->backend;
    question->uuid = g_strdup(machine->uuid);
    question->kinds = kinds;
    question->func = func;
    question->userdata = userdata;
    viommu_worker_run(room->calls, machine->owner_uid, work, done, question);
}
