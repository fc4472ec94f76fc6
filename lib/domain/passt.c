/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* passt: <portForward><range start='' to=''/> of interfaces with <backend type='passt'/>. */
#include "lib/domain/passt.h"

#include "lib/base/xml-read.h"
#include "lib/machine/forwards.h"

static bool has(const xmlNode *node, const char *attribute, const char *wanted)
{
    g_autofree char *value = node ? viommu_xml_get(node, attribute) : NULL;

    return g_strcmp0(value, wanted) == 0;
}

static uint16_t read_port(const xmlNode *range, const char *attribute)
{
    g_autofree char *text = viommu_xml_get(range, attribute);
    guint64 number = 0;

    return text && g_ascii_string_to_unsigned(text, 10, 1, UINT16_MAX, &number, NULL) ? (uint16_t)number : 0;
}

static void read_ranges(const xmlNode *forward, uint16_t network, GArray *forwards)
{
    for (xmlNode *range = viommu_xml_child(forward, "range"); range;
         range = viommu_xml_next(range, "range")) {
        const ViommuForward port = {network, read_port(range, "to"), read_port(range, "start")};

        if (port.guest_port && port.host_port && forwards->len < VIOMMU_FORWARDS_READ_MAX)
            g_array_append_val(forwards, port);
    }
}

GArray *viommu_domain_passt_forwards(const char *xml, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_BACKEND, error);
    const xmlNode *devices = document ? viommu_xml_child(xmlDocGetRootElement(document), "devices") : NULL;
    GArray *forwards = NULL;
    uint16_t network = 0;

    for (xmlNode *node = viommu_xml_child(devices, "interface"); node;
         node = viommu_xml_next(node, "interface"), network++) {
        if (!has(viommu_xml_child(node, "backend"), "type", "passt"))
            continue;
        if (!forwards)
            forwards = g_array_new(FALSE, FALSE, sizeof(ViommuForward));
        for (xmlNode *forward = viommu_xml_child(node, "portForward"); forward;
             forward = viommu_xml_next(forward, "portForward"))
            if (has(forward, "address", VIOMMU_FORWARD_ADDRESS) && has(forward, "proto", "tcp"))
                read_ranges(forward, network, forwards);
    }
    return forwards;
}
