/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/network-check.h"

#include <string.h>
#include <sys/un.h>

#include "lib/base/error.h"
#include "lib/request/translate.h"

/* One port of the guest has one port of the host. */
static bool check_forwards(const ViommuRequest *request, GError **error)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_int64_hash, g_int64_equal);

    for (guint i = 0; request->networks && i < request->networks->len; i++) {
        const ViommuRequestNetwork *network = g_ptr_array_index(request->networks, i);

        if (network->forward && network->type != VIOMMU_NETWORK_TYPE_USER)
            return viommu_fail(
                error, VIOMMU_ERROR_INVALID_REQUEST,
                "networks[%u].forward is possible with type 'user' only, but the type is '%s'; use the guest's own address there",
                i, viommu_enum_to_string(&viommu_enum_network_type, network->type));
        for (guint j = 0; network->forward && j < network->forward->len; j++) {
            uint64_t *port = &g_array_index(network->forward, uint64_t, j);

            if (!g_hash_table_add(seen, port))
                return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                                   "networks[%u].forward has port %" G_GUINT64_FORMAT
                                   ", which is given twice; give each port once",
                                   i, *port);
        }
    }
    if (g_hash_table_size(seen) > VIOMMU_FORWARDS_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "the networks forward %u ports; at most %u are allowed", g_hash_table_size(seen),
                           VIOMMU_FORWARDS_MAX);
    return true;
}

/* The kernel's address of a socket has room for so many bytes and a zero. */
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

/* The kernel's names of such devices (Linux 5.7 drivers/vhost/vdpa.c). */
#define VDPA_PREFIX "/dev/vhost-vdpa-"
#define VDPA_DIGITS 6

/* What @type needs as its source. */
static const char *const sources[] = {
    [VIOMMU_NETWORK_TYPE_NETWORK] = "the name of the network",
    [VIOMMU_NETWORK_TYPE_BRIDGE] = "the name of the bridge",
    [VIOMMU_NETWORK_TYPE_VHOSTUSER] = "the absolute path of a socket",
    [VIOMMU_NETWORK_TYPE_VDPA] = "a device such as '" VDPA_PREFIX "0'",
};
G_STATIC_ASSERT(G_N_ELEMENTS(sources) == VIOMMU_NETWORK_TYPE_LAST);

/* No other name, so nobody has libvirt open another device. */
static bool is_vdpa(const char *path)
{
    const char *number = path + strlen(VDPA_PREFIX);
    size_t digits;

    if (!g_str_has_prefix(path, VDPA_PREFIX))
        return false;
    digits = strspn(number, "0123456789");
    return digits > 0 && digits <= VDPA_DIGITS && number[digits] == '\0';
}

static bool is_valid_source(const ViommuRequestNetwork *network)
{
    return network->type == (int)VIOMMU_NETWORK_TYPE_VDPA ? is_vdpa(network->source)
                                                          : network->source[0] == '/';
}

static bool check_offloaded(const ViommuRequestNetwork *network, guint i, GError **error)
{
    const char *type = viommu_enum_to_string(&viommu_enum_network_type, network->type);

    if (viommu_request_network_model(network) != VIOMMU_NETWORK_MODEL_VIRTIO)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "networks[%u].model is '%s', but networks of type '%s' serve virtio devices only; omit the model, or use another type",
            i, viommu_enum_to_string(&viommu_enum_network_model, network->model), type);
    if (!is_valid_source(network))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "networks[%u].source '%.128s' is not valid; type '%s' needs %s", i,
                           network->source, type, sources[network->type]);
    if (strlen(network->source) > SOCKET_PATH_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "networks[%u].source has %zu bytes, but the path of a socket has at most %zu; use a shorter one",
            i, strlen(network->source), SOCKET_PATH_MAX);
    return true;
}

static bool check_network(const ViommuRequestNetwork *network, guint i, GError **error)
{
    const char *wanted = sources[network->type];
    g_autofree char *needs = wanted ? g_strconcat("needs a source: ", wanted, NULL) : NULL;

    if ((wanted != NULL) != (network->source != NULL))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "networks[%u] of type '%s' %s", i,
                           viommu_enum_to_string(&viommu_enum_network_type, network->type),
                           needs ? needs : "takes no source; remove it");
    return !viommu_request_network_is_offloaded(network) || check_offloaded(network, i, error);
}

bool viommu_request_check_networks(const ViommuRequest *request, GError **error)
{
    for (guint i = 0; request->networks && i < request->networks->len; i++)
        if (!check_network(g_ptr_array_index(request->networks, i), i, error))
            return false;
    return check_forwards(request, error);
}
