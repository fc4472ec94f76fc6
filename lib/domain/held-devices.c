/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held-devices: each PCI <address> in the <source> of a device. */
#include "lib/domain/held-devices.h"

#include "lib/base/pci-address.h"
#include "lib/base/xml-read.h"

static const struct {
    const char *name;
    guint64 max;
} parts[] = {{"domain", G_MAXUINT32}, {"bus", 0xff}, {"slot", 0x1f}, {"function", 7}};

/* NULL: an address of another bus, such as USB. */
static char *pci_address(const xmlNode *node)
{
    guint64 numbers[G_N_ELEMENTS(parts)];

    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *text = viommu_xml_get(node, parts[i].name);

        if (!text || !g_str_has_prefix(text, "0x") ||
            !g_ascii_string_to_unsigned(text + 2, 16, 0, parts[i].max, &numbers[i], NULL))
            return NULL;
    }
    return viommu_pci_address_format(&(ViommuPciAddress){(uint32_t)numbers[0], (uint8_t)numbers[1],
                                                         (uint8_t)numbers[2], (uint8_t)numbers[3]});
}

char **viommu_domain_hostdevs(const char *xml, GError **error)
{
    g_autoptr(xmlDoc) document = viommu_xml_parse(xml, "domain", VIOMMU_ERROR_BACKEND, error);
    GPtrArray *found;

    if (!document)
        return NULL;
    found = g_ptr_array_new();
    for (const xmlNode *device =
             viommu_xml_child(viommu_xml_child(xmlDocGetRootElement(document), "devices"), NULL);
         device; device = viommu_xml_next(device, NULL)) {
        const xmlNode *source = viommu_xml_child(device, "source");
        char *address = pci_address(viommu_xml_child(source, "address"));

        if (address)
            g_ptr_array_add(found, address);
    }
    g_ptr_array_add(found, NULL);
    return (char **)g_ptr_array_free(found, FALSE);
}
