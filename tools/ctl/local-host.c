/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/local-host.h"

#include <unistd.h>

#include "daemon/files/named-image.h"
#include "daemon/libvirt/kvm-proof.h"
#include "daemon/process/kvm-file.h"
#include "lib/base/names.h"
#include "tools/client/request-file.h"
#include "tools/ctl/machine.h"

bool viommu_local_is_user(const ViommuCtl *ctl)
{
    return ctl->user || (!ctl->system && !ctl->fleet && geteuid() != 0);
}

ViommuConfig *viommu_local_config(const ViommuCtl *ctl, GError **error)
{
    g_autoptr(ViommuConfig) config = NULL;
    g_auto(GStrv) configured = NULL;

    if (!viommu_config_load(viommu_local_is_user(ctl), &config, error))
        return NULL;
    for (guint i = 0; i < config->warnings->len; i++)
        viommu_output_warning(&ctl->output, g_ptr_array_index(config->warnings, i));
    configured = config->image_directories;
    config->image_directories =
        viommu_named_image_directories((const char *const *)configured, viommu_local_is_user(ctl));
    /* A recorded host is that of a system's viommud. */
    if (viommu_local_is_user(ctl) && !ctl->host)
        config->policy.ready_port = viommu_policy_ready_port(true, geteuid());
    if (ctl->order)
        config->policy.order = (ViommuOrder)viommu_enum_from_string(&viommu_enum_order, ctl->order);
    return g_steal_pointer(&config);
}

const char *viommu_local_uri(const ViommuCtl *ctl)
{
    const char *variable = g_getenv(VIOMMU_ENV_CONNECT);

    if (ctl->connect)
        return ctl->connect;
    if (variable && *variable)
        return variable;
    return viommu_local_is_user(ctl) ? "qemu:///session" : "qemu:///system";
}

/* What viommud has learnt of KVM. */
static void recall_kvm(const ViommuCtl *ctl, ViommuBackend *backend, ViommuHost *host)
{
    g_autofree char *stamp = viommu_backend_kvm_stamp(backend, host);
    g_autofree char *directory = viommu_kvm_directory(viommu_local_is_user(ctl));
    g_autoptr(ViommuKvmVerdict) verdict = stamp ? viommu_kvm_recall(directory, stamp) : NULL;

    viommu_host_set_kvm(host, verdict);
}

static ViommuHost *probe(ViommuCtl *ctl, const char *uri, GError **error)
{
    ViommuBackend *backend = NULL;
    ViommuHost *host;

    if (!viommu_backend_new(uri, 1, &backend, error))
        return NULL;
    viommu_output_progress(&ctl->output, "asking libvirt what this host supports ...");
    host = viommu_backend_probe(backend, error);
    viommu_output_progress_end(&ctl->output);
    if (host)
        recall_kvm(ctl, backend, host);
    viommu_backend_free(backend);
    if (!host)
        g_prefix_error(error, "cannot ask libvirt at %s: ", uri);
    return host;
}

ViommuHost *viommu_local_host_read(const char *file, GError **error)
{
    g_autoptr(GVariant) tree = viommu_request_file_read(file, error);
    ViommuHost *host = tree ? viommu_host_from_variant(tree, error) : NULL;

    if (tree && !host)
        g_prefix_error(error, "%s: ", file);
    return host;
}

ViommuHost *viommu_local_host(ViommuCtl *ctl, char **ret_uri, GError **error)
{
    /* The libvirt of this host is not that of the recorded files. */
    const char *uri = ctl->host || (ctl->root && !ctl->connect) ? NULL : viommu_local_uri(ctl);
    g_autoptr(ViommuHost) host = NULL;

    if (uri)
        host = probe(ctl, uri, error);
    else if (ctl->host)
        host = viommu_local_host_read(ctl->host, error);
    else
        host = viommu_host_new();
    if (!host || (ctl->root && !viommu_topology_read(ctl->root, &host->topology, error)))
        return NULL;
    if (ret_uri)
        *ret_uri = g_strdup(uri);
    return g_steal_pointer(&host);
}

bool viommu_local_image(const ViommuCtl *ctl, const ViommuConfig *config, ViommuRequest *request,
                        GError **error)
{
    /* The plan and the XML have its path. */
    g_autofree char *directory_given = ctl->images ? g_canonicalize_filename(ctl->images, NULL) : NULL;
    const char *const given[] = {directory_given, NULL};
    const ViommuImagePlaces places = {ctl->images ? given : (const char *const *)config->image_directories,
                                      ctl->images || viommu_local_is_user(ctl)};
    g_autoptr(ViommuSiteImage) image = NULL;
    unsigned directory;

    if (!request->image || (ctl->host && !ctl->images))
        return true;
    image = viommu_named_image_read(&places, request->image, &directory, error);
    return image && viommu_site_image_merge(image, places.directories[directory], request, error);
}

ViommuHost *viommu_local_host_by_viommud(ViommuClient *client)
{
    g_autoptr(GVariant) facts = viommu_ctl_manager_property(client, "HostFacts", "a{sv}", NULL);

    return facts && g_variant_n_children(facts) > 0 ? viommu_host_from_variant(facts, NULL) : NULL;
}

ViommuHost *viommu_local_host_known(ViommuCtl *ctl, GError **error)
{
    g_autoptr(GError) refusal = NULL;
    ViommuHost *host = viommu_local_host(ctl, NULL, &refusal);
    const char *variable = g_getenv(VIOMMU_ENV_CONNECT);
    g_autoptr(ViommuClient) client = NULL;

    if (host)
        return host;
    if (ctl->system && !ctl->host && !ctl->root && !ctl->connect && !(variable && *variable))
        client = viommu_ctl_connect(ctl, NULL);
    if (client)
        host = viommu_local_host_by_viommud(client);
    if (host && viommu_topology_read("/", &host->topology, NULL))
        return host;
    viommu_host_free(host);
    g_propagate_error(error, g_steal_pointer(&refusal));
    return NULL;
}
