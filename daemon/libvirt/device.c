/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device: attaches devices to running guests, detaches them, and keeps the record of them.  Knows
 * neither requests nor plans. */
#include "daemon/libvirt/internal.h"

#include "lib/base/names.h"

typedef virDomainPtr Domain;
static void domain_clear(Domain *domain)
{
    if (*domain)
        virDomainFree(*domain);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Domain, domain_clear)

/* libvirt keeps the files while the connection is open and the domain exists. */
bool viommu_device_give_files(virDomainPtr domain, const GArray *files, GError **error)
{
    for (guint i = 0; files && i < files->len; i++) {
        const ViommuBackendFile *file = &g_array_index(files, ViommuBackendFile, i);
#if LIBVIR_CHECK_VERSION(9, 0, 0)
        int fd = file->fd;

        if (virDomainFDAssociate(domain, file->name, 1, &fd, VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_RESTORE) < 0)
            return viommu_libvirt_fail(error, "cannot give libvirt the open file of '%s'", file->name);
#else
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "cannot give libvirt the open file of '%s': viommud was built with a libvirt before 9.0.0",
            file->name);
#endif
    }
    return true;
}

typedef struct Order {
    const char *uuid, *text; /* the device's XML, its alias, or the record */
    const GArray *files;
    bool ret_gone;
    char *ret_text;
} Order;

static bool find(virConnectPtr connection, const char *uuid, Domain *ret_domain, GError **error)
{
    *ret_domain = virDomainLookupByUUIDString(connection, uuid);
    return *ret_domain || viommu_libvirt_fail(error, "cannot find domain '%s'", uuid);
}

static bool attach(virConnectPtr connection, void *data, GError **error)
{
    const Order *order = data;
    g_auto(Domain) domain = NULL;

    if (!find(connection, order->uuid, &domain, error) ||
        !viommu_device_give_files(domain, order->files, error))
        return false;
    return virDomainAttachDeviceFlags(domain, order->text, VIR_DOMAIN_AFFECT_LIVE) == 0 ||
           viommu_libvirt_fail(error, "cannot attach a device to domain '%s'", order->uuid);
}

bool viommu_backend_attach(ViommuBackend *backend, const char *uuid, const char *xml, const GArray *files,
                           GError **error)
{
    Order order = {.uuid = uuid, .text = xml, .files = files};

    return viommu_pool_call(viommu_backend_pool(backend), attach, &order, false, error);
}

static bool detach(virConnectPtr connection, void *data, GError **error)
{
    Order *order = data;
    g_auto(Domain) domain = NULL;

    if (!find(connection, order->uuid, &domain, error))
        return false;
    if (virDomainDetachDeviceAlias(domain, order->text, VIR_DOMAIN_AFFECT_LIVE) == 0)
        return true;
    order->ret_gone = viommu_libvirt_last_code() == VIR_ERR_DEVICE_MISSING;
    return order->ret_gone ||
           viommu_libvirt_fail(error, "cannot detach device '%s' from domain '%s'", order->text, order->uuid);
}

bool viommu_backend_detach(ViommuBackend *backend, const char *uuid, const char *alias, bool *ret_gone,
                           GError **error)
{
    Order order = {.uuid = uuid, .text = alias};
    bool ok = viommu_pool_call(viommu_backend_pool(backend), detach, &order, false, error);

    *ret_gone = order.ret_gone;
    return ok;
}

static bool set_attached(virConnectPtr connection, void *data, GError **error)
{
    const Order *order = data;
    g_auto(Domain) domain = NULL;
    unsigned flags = VIR_DOMAIN_AFFECT_CONFIG;

    if (!find(connection, order->uuid, &domain, error))
        return false;
    if (virDomainIsActive(domain) == 1)
        flags |= VIR_DOMAIN_AFFECT_LIVE;
    return virDomainSetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, order->text,
                                order->text ? VIOMMU_ATTACHED_PREFIX : NULL, VIOMMU_ATTACHED_URI,
                                flags) == 0 ||
           viommu_libvirt_fail(error, "cannot store what is attached to domain '%s'", order->uuid);
}

bool viommu_backend_set_attached(ViommuBackend *backend, const char *uuid, const char *attached,
                                 GError **error)
{
    Order order = {.uuid = uuid, .text = attached};

    return viommu_pool_call(viommu_backend_pool(backend), set_attached, &order, true, error);
}

char *viommu_attached_of(virDomainPtr domain)
{
    char *text = virDomainGetMetadata(domain, VIR_DOMAIN_METADATA_ELEMENT, VIOMMU_ATTACHED_URI, 0);

    if (!text)
        virResetLastError();
    return text;
}

static bool get_attached(virConnectPtr connection, void *data, GError **error)
{
    Order *order = data;
    g_auto(Domain) domain = NULL;

    if (!find(connection, order->uuid, &domain, error))
        return false;
    order->ret_text = viommu_attached_of(domain);
    return true;
}

char *viommu_backend_get_attached(ViommuBackend *backend, const char *uuid)
{
    Order order = {.uuid = uuid};

    (void)viommu_pool_call(viommu_backend_pool(backend), get_attached, &order, true, NULL);
    return order.ret_text;
}
