/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: the <source> of the first serial line, which libvirt uses as the console. */
#include "lib/domain/console.h"

#include "lib/base/xml-read.h"

char *viommu_domain_console_terminal(const char *xml)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_BACKEND, NULL);
    const xmlNode *devices, *line;

    if (!document)
        return NULL;
    devices = viommu_xml_child(xmlDocGetRootElement(document), "devices");
    line = viommu_xml_child(devices, "serial");
    return viommu_xml_get(viommu_xml_child(line ? line : viommu_xml_child(devices, "console"), "source"),
                          "path");
}
