/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-reach: what the fake backend says of the ways to a guest, and what its agent says. */
#include "tests/daemon/fake-backend.h"

GArray *viommu_backend_read_forwards(ViommuBackend *backend, const char *uuid, GError **error)
{
    const FakeDomain *domain = fake_begin_domain_call(FAKE_READ_FORWARDS, uuid, error);
    g_autoptr(GArray) forwards = NULL;

    if (!domain)
        return NULL;
    forwards =
        domain->forwards ? g_array_copy(domain->forwards) : g_array_new(FALSE, FALSE, sizeof(ViommuForward));
    return fake_script_end(FAKE_READ_FORWARDS, error) ? g_steal_pointer(&forwards) : NULL;
}

char **viommu_backend_read_addresses(ViommuBackend *backend, const char *uuid, GError **error)
{
    const FakeDomain *domain = fake_begin_domain_call(FAKE_READ_ADDRESSES, uuid, error);
    g_auto(GStrv) addresses = domain ? g_strsplit(domain->addresses ? domain->addresses : "", " ", -1) : NULL;

    return domain && fake_script_end(FAKE_READ_ADDRESSES, error) ? g_steal_pointer(&addresses) : NULL;
}

bool viommu_backend_ping_guest(ViommuBackend *backend, const char *uuid, bool *ret_broke, GError **error)
{
    g_autofree char *output = viommu_backend_run_in_guest(backend, uuid, "", ret_broke, error);

    return output != NULL;
}

char *viommu_backend_run_in_guest(ViommuBackend *backend, const char *uuid, const char *script,
                                  bool *ret_broke, GError **error)
{
    const FakeDomain *domain = fake_begin_domain_call(FAKE_AGENT, uuid, error);
    char *output;

    *ret_broke = false;
    if (!domain)
        return NULL;
    output = g_strdup(domain->agent_output);
    *ret_broke = domain->agent_breaks;
    (void)fake_script_end(FAKE_AGENT, NULL);
    if (*ret_broke)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "the connection broke");
    else if (!output)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_NOT_FOUND, "it has no agent");
    return output;
}
