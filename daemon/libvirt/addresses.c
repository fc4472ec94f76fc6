/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* addresses: the addresses of a guest in networks of the host: from the leases of libvirt's
 * networks, else from the host's table of neighbours.  The guest itself is not asked. */
#include "daemon/libvirt/internal.h"

/* A guest can have many. */
#define ADDRESSES_MAX 32u

typedef struct Question {
    const char *uuid;
    GPtrArray *found;
} Question;

static void add(GPtrArray *found, const char *address)
{
    if (found->len < ADDRESSES_MAX && g_hostname_is_ip_address(address) &&
        !g_ptr_array_find_with_equal_func(found, address, g_str_equal, NULL))
        g_ptr_array_add(found, g_strdup(address));
}

/* False: this libvirt or this kind of network does not know. */
static bool look(virDomainPtr domain, unsigned source, GPtrArray *found)
{
    virDomainInterfacePtr *interfaces = NULL;
    int n = virDomainInterfaceAddresses(domain, &interfaces, source, 0);

    for (int i = 0; i < n; i++) {
        for (unsigned j = 0; j < interfaces[i]->naddrs; j++)
            add(found, interfaces[i]->addrs[j].addr);
        virDomainInterfaceFree(interfaces[i]);
    }
    free(interfaces);
    return n >= 0;
}

static bool ask(virConnectPtr connection, void *data, GError **error)
{
    Question *question = data;
    virDomainPtr domain = virDomainLookupByUUIDString(connection, question->uuid);
    bool known;

    if (!domain)
        return viommu_libvirt_fail(error, "cannot find domain '%s'", question->uuid);
    g_ptr_array_set_size(question->found, 0);
    known = look(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_LEASE, question->found);
    if (question->found->len == 0)
        known = look(domain, VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_ARP, question->found) || known;
    if (!known)
        viommu_libvirt_fail(error, "cannot read the addresses of domain '%s'", question->uuid);
    virDomainFree(domain);
    return known;
}

char **viommu_addresses_read(ViommuPool *pool, const char *uuid, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    Question question = {uuid, found};

    if (!viommu_pool_call(pool, ask, &question, true, error))
        return NULL;
    g_ptr_array_add(found, NULL);
    g_ptr_array_set_free_func(found, NULL);
    return (char **)g_ptr_array_free(g_steal_pointer(&found), FALSE);
}
