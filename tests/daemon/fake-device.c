/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fake-device: the functions of daemon/libvirt/backend.h for a domain's XML, and for the devices of
 * a running guest. */
#include <string.h>

#include "tests/daemon/fake-backend.h"

#define END "</devices>"

char *viommu_backend_get_xml(ViommuBackend *backend, const char *uuid, GError **error)
{
    const FakeDomain *domain = fake_begin_domain_call(FAKE_XML, uuid, error);
    const char *end = domain ? strstr(domain->xml, END) : NULL;
    g_autoptr(GString) xml = g_string_new(domain ? domain->xml : NULL);

    for (guint i = 0; end && domain->devices && i < domain->devices->len; i++)
        g_string_insert(xml, end - domain->xml, g_ptr_array_index(domain->devices, i));
    return domain && fake_script_end(FAKE_XML, error) ? g_strdup(xml->str) : NULL;
}

bool viommu_backend_attach(ViommuBackend *backend, const char *uuid, const char *xml, const GArray *files,
                           GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_ATTACH, uuid, error);

    if (!domain)
        return false;
    if (!domain->devices)
        domain->devices = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(domain->devices, g_strdup(xml));
    return fake_script_end(FAKE_ATTACH, error);
}

/* With the lock held. */
static bool remove_device(FakeDomain *domain, const char *alias)
{
    g_autofree char *name = g_strdup_printf("<alias name='%s'/>", alias);

    for (guint i = 0; domain && domain->devices && i < domain->devices->len; i++)
        if (strstr(g_ptr_array_index(domain->devices, i), name)) {
            g_ptr_array_remove_index(domain->devices, i);
            return true;
        }
    return false;
}

void fake_give_back(const char *uuid, const char *alias)
{
    bool gone;

    g_mutex_lock(&fake_lock);
    gone = remove_device(fake_find_held(uuid), alias);
    g_mutex_unlock(&fake_lock);
    if (gone)
        fake_tell(VIOMMU_NEWS_DEVICE_REMOVED, uuid, alias);
}

bool viommu_backend_detach(ViommuBackend *backend, const char *uuid, const char *alias, bool *ret_gone,
                           GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_DETACH, uuid, error);
    bool gone, answered;

    *ret_gone = false;
    if (!domain)
        return false;
    gone = !domain->clings && remove_device(domain, alias);
    *ret_gone = !domain->clings && !gone;
    answered = fake_script_end(FAKE_DETACH, error);
    if (gone)
        fake_tell(VIOMMU_NEWS_DEVICE_REMOVED, uuid, alias);
    return answered;
}

bool viommu_backend_set_attached(ViommuBackend *backend, const char *uuid, const char *attached,
                                 GError **error)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_SET_ATTACHED, uuid, error);

    if (!domain)
        return false;
    g_free(domain->attached);
    domain->attached = g_strdup(attached);
    return fake_script_end(FAKE_SET_ATTACHED, error);
}

char *viommu_backend_get_attached(ViommuBackend *backend, const char *uuid)
{
    FakeDomain *domain = fake_begin_domain_call(FAKE_GET_METADATA, uuid, NULL);
    g_autofree char *attached = domain ? g_strdup(domain->attached) : NULL;

    return domain && fake_script_end(FAKE_GET_METADATA, NULL) ? g_steal_pointer(&attached) : NULL;
}
