/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list: lists domains: viommud's, and all that have devices of the host; and finds one. */
#include "daemon/libvirt/internal.h"

#include "lib/domain/held-devices.h"
#include "lib/base/names.h"

/* --- Domains of viommud --- */

void viommu_domain_free(ViommuDomain *domain)
{
    if (!domain)
        return;
    g_free(domain->name);
    g_free(domain->metadata);
    g_free(domain->additions);
    g_free(domain->attached);
    g_free(domain);
}

/* Whether libvirt can restore the guest.  A state in a file of the caller's ("virsh save") is known
 * until libvirt's daemon restarts. */
static bool is_saved(virDomainPtr domain)
{
    int state = VIR_DOMAIN_NOSTATE, reason = 0;

    return virDomainHasManagedSaveImage(domain, 0) == 1 ||
           (virDomainGetState(domain, &state, &reason, 0) == 0 && state == VIR_DOMAIN_SHUTOFF &&
            reason == VIR_DOMAIN_SHUTOFF_SAVED);
}

/* NULL without an error: the domain is not viommud's, or has just gone. */
static ViommuDomain *read_domain(virDomainPtr domain)
{
    g_autofree char *metadata =
        virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, VIOMMU_METADATA_URI, 0);
    ViommuDomain *found;
    int active;

    if (!metadata)
        return NULL;
    active = virDomainIsActive(domain);
    if (active < 0)
        return NULL;
    found = g_new0(ViommuDomain, 1);
    found->name = g_strdup(virDomainGetName(domain));
    found->active = active;
    found->saved = !active && is_saved(domain);
    found->pause = viommu_pause_of(domain);
    found->metadata = g_steal_pointer(&metadata);
    found->additions = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, VIOMMU_ADDITIONS_URI, 0);
    found->attached = viommu_attached_of(domain);
    virDomainGetUUIDString(domain, found->uuid);
    return found;
}

/* When the connection broke, the domain may be viommud's and may still exist. */
static bool check_alive(virConnectPtr connection, GError **error)
{
    if (virConnectIsAlive(connection) == 1)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot list the domains");
}

static bool list_domains(virConnectPtr connection, void *data, GError **error)
{
    GPtrArray *found = data;
    g_autofree virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(connection, &domains, 0);

    if (n < 0)
        return viommu_libvirt_fail(error, "cannot list the domains");
    g_ptr_array_set_size(found, 0);
    for (int i = 0; i < n; i++) {
        ViommuDomain *domain = read_domain(domains[i]);
        if (domain)
            g_ptr_array_add(found, domain);
        virDomainFree(domains[i]);
    }
    return check_alive(connection, error);
}

GPtrArray *viommu_list_domains(ViommuPool *pool, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_domain_free);

    if (!viommu_pool_call(pool, list_domains, found, true, error))
        return NULL;
    return g_steal_pointer(&found);
}

/* --- Domains with a name of viommud's and no metadata --- */

typedef struct Unmarked {
    const char *prefix;
    GPtrArray *names;
} Unmarked;

static bool list_unmarked(virConnectPtr connection, void *data, GError **error)
{
    const Unmarked *unmarked = data;
    g_autofree virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(connection, &domains, 0);

    if (n < 0)
        return viommu_libvirt_fail(error, "cannot list the domains");
    g_ptr_array_set_size(unmarked->names, 0);
    for (int i = 0; i < n; i++) {
        const char *name = virDomainGetName(domains[i]);

        if (name && g_str_has_prefix(name, unmarked->prefix)) {
            g_autofree char *metadata =
                virDomainGetMetadata(domains[i], VIR_DOMAIN_METADATA_ELEMENT, VIOMMU_METADATA_URI, 0);

            if (!metadata && virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA)
                g_ptr_array_add(unmarked->names, g_strdup(name));
        }
        virDomainFree(domains[i]);
    }
    return check_alive(connection, error);
}

GPtrArray *viommu_list_unmarked(ViommuPool *pool, const char *prefix, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    Unmarked unmarked = {prefix, names};

    return viommu_pool_call(pool, list_unmarked, &unmarked, true, error) ? g_steal_pointer(&names) : NULL;
}

/* --- Domains with devices of the host --- */

void viommu_holder_free(ViommuHolder *holder)
{
    if (!holder)
        return;
    g_strfreev(holder->hostdevs);
    g_free(holder);
}

/* NULL without an error: the domain has no such devices, or has just ended. */
static ViommuHolder *read_holder(virDomainPtr domain, GError **error)
{
    g_autofree char *xml = virDomainGetXMLDesc(domain, 0);
    g_auto(GStrv) hostdevs = xml ? viommu_domain_hostdevs(xml, error) : NULL;
    ViommuHolder *holder;

    if (!hostdevs || !*hostdevs)
        return NULL;
    holder = g_new0(ViommuHolder, 1);
    holder->hostdevs = g_steal_pointer(&hostdevs);
    virDomainGetUUIDString(domain, holder->uuid);
    return holder;
}

static bool list_holders(virConnectPtr connection, void *data, GError **error)
{
    GPtrArray *found = data;
    g_autofree virDomainPtr *domains = NULL;
    g_autoptr(GError) cause = NULL;
    int n = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE);

    if (n < 0)
        return viommu_libvirt_fail(error, "cannot list the domains");
    g_ptr_array_set_size(found, 0);
    for (int i = 0; i < n; i++) {
        ViommuHolder *holder = cause ? NULL : read_holder(domains[i], &cause);

        if (holder)
            g_ptr_array_add(found, holder);
        virDomainFree(domains[i]);
    }
    if (!cause)
        return check_alive(connection, error);
    g_propagate_prefixed_error(error, g_steal_pointer(&cause), "cannot list the assigned devices: ");
    return false;
}

GPtrArray *viommu_list_holders(ViommuPool *pool, GError **error)
{
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func((GDestroyNotify)viommu_holder_free);

    return viommu_pool_call(pool, list_holders, found, true, error) ? g_steal_pointer(&found) : NULL;
}

/* --- One domain, by its name --- */

typedef struct Named {
    const char *name;
    char *xml; /* owned */
} Named;

static bool read_named(virConnectPtr connection, void *data, GError **error)
{
    Named *named = data;
    virDomainPtr domain = virDomainLookupByName(connection, named->name);

    if (!domain && g_uuid_string_is_valid(named->name))
        domain = virDomainLookupByUUIDString(connection, named->name);
    if (!domain)
        return viommu_libvirt_fail(error, "cannot find domain '%s'", named->name);
    /* The call may be repeated. */
    free(named->xml);
    named->xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    virDomainFree(domain);
    return named->xml || viommu_libvirt_fail(error, "cannot read the XML of domain '%s'", named->name);
}

char *viommu_list_find_xml(ViommuPool *pool, const char *name, GError **error)
{
    Named named = {name, NULL};

    if (viommu_pool_call(pool, read_named, &named, true, error))
        return named.xml;
    free(named.xml);
    return NULL;
}
