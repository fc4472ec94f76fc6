/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* network: reads the forward mode of a libvirt network. */
#include "daemon/libvirt/internal.h"

#include "lib/host/network-xml.h"

typedef struct Question {
    const char *name;
    char *mode;
} Question;

static bool ask(virConnectPtr connection, void *data, GError **error)
{
    Question *question = data;
    virNetworkPtr network = virNetworkLookupByName(connection, question->name);
    char *xml;

    if (!network) {
        /* A missing network, or a libvirt without networks, is an answer. */
        question->mode = g_strdup("");
        return viommu_libvirt_last_code() == VIR_ERR_NO_NETWORK ||
               viommu_libvirt_last_code() == VIR_ERR_NO_SUPPORT ||
               viommu_libvirt_fail(error, "cannot look up network '%s'", question->name);
    }
    xml = virNetworkGetXMLDesc(network, 0);
    virNetworkFree(network);
    if (!xml)
        return viommu_libvirt_fail(error, "cannot read network '%s'", question->name);
    question->mode = viommu_network_forward_mode(xml, error);
    free(xml);
    return question->mode != NULL;
}

/* The call may be repeated: it only reads. */
static bool ask_anew(virConnectPtr connection, void *data, GError **error)
{
    g_clear_pointer(&((Question *)data)->mode, g_free);
    return ask(connection, data, error);
}

char *viommu_network_mode(ViommuPool *pool, const char *name, GError **error)
{
    Question question = {name, NULL};

    if (viommu_pool_call(pool, ask_anew, &question, true, error))
        return question.mode;
    g_free(question.mode);
    return NULL;
}
