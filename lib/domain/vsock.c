/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vsock: the attribute address of <vsock><cid>. */
#include "lib/domain/vsock.h"

#include "lib/base/xml-read.h"

/* 0 to 2 are the hypervisor, local loopback and the host; the last is "any". */
#define CID_FIRST 3u
#define CID_LAST  (UINT32_MAX - 1)

uint32_t viommu_domain_vsock_cid(const char *xml, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_BACKEND, error);
    const xmlNode *devices = document ? viommu_xml_child(xmlDocGetRootElement(document), "devices") : NULL;
    const xmlNode *cid = viommu_xml_child(viommu_xml_child(devices, "vsock"), "cid");
    g_autofree char *text = cid ? viommu_xml_get(cid, "address") : NULL;
    guint64 number;

    if (!text || !g_ascii_string_to_unsigned(text, 10, CID_FIRST, CID_LAST, &number, NULL))
        return 0;
    return (uint32_t)number;
}
