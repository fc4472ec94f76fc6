/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/host/network-xml.h"

#include "lib/base/error.h"
#include "lib/base/xml-read.h"

char *viommu_network_forward_mode(const char *xml, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "network", VIOMMU_ERROR_BACKEND, error);
    const xmlNode *forward;
    char *mode;

    if (!document)
        return NULL;
    forward = viommu_xml_child(xmlDocGetRootElement(document), "forward");
    if (!forward)
        return g_strdup("none");
    mode = viommu_xml_get(forward, "mode");
    return mode ? mode : g_strdup("nat");
}
