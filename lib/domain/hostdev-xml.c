/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/domain/hostdev-xml.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/base/pci-address.h"

void viommu_xml_write_pci_address(ViommuXmlWriter *xml, unsigned bus, unsigned slot)
{
    char numbers[2][8];

    snprintf(numbers[0], sizeof(numbers[0]), "0x%02x", bus & 0xff);
    snprintf(numbers[1], sizeof(numbers[1]), "0x%02x", slot & 0xff);
    viommu_xml_empty(xml, "address", "type", "pci", "domain", "0x0000", "bus", numbers[0], "slot", numbers[1],
                     "function", "0x0", NULL);
}

void viommu_xml_write_boot_order(ViommuXmlWriter *xml, uint64_t place)
{
    if (place == VIOMMU_UNSET_NUMBER)
        return;
    viommu_xml_open(xml, "boot");
    viommu_xml_attribute_number(xml, "order", place);
    viommu_xml_close(xml);
}

void viommu_xml_write_place(ViommuXmlWriter *xml, const ViommuXmlPlace *place)
{
    if (!place)
        return;
    viommu_xml_empty(xml, "alias", "name", place->alias, NULL);
    if (place->bus)
        viommu_xml_write_pci_address(xml, place->bus, 0);
}

static void write_source(ViommuXmlWriter *xml, const ViommuPlacedDevice *device)
{
    ViommuPciAddress address;
    char numbers[4][12];
    bool valid = viommu_pci_address_parse(device->address, &address);

    /* Requests, /sys and recorded hosts have been read strictly. */
    g_assert(valid);
    snprintf(numbers[0], sizeof(numbers[0]), "0x%04" PRIx32, address.domain);
    snprintf(numbers[1], sizeof(numbers[1]), "0x%02x", (unsigned)address.bus);
    snprintf(numbers[2], sizeof(numbers[2]), "0x%02x", (unsigned)address.slot);
    snprintf(numbers[3], sizeof(numbers[3]), "0x%x", (unsigned)address.function);
    viommu_xml_open(xml, "source");
    viommu_xml_empty(xml, "address", "type", viommu_placed_is_interface(device) ? "pci" : NULL, "domain",
                     numbers[0], "bus", numbers[1], "slot", numbers[2], "function", numbers[3], NULL);
    viommu_xml_close(xml);
}

/* A virtual function that libvirt gives a MAC address and a VLAN. */
static void open_interface(ViommuXmlWriter *xml, const ViommuPlacedDevice *device)
{
    viommu_xml_open(xml, "interface");
    viommu_xml_attribute(xml, "type", "hostdev");
    viommu_xml_attribute(xml, "managed", device->unmanaged ? "no" : "yes");
    if (device->mac)
        viommu_xml_empty(xml, "mac", "address", device->mac, NULL);
    write_source(xml, device);
    if (device->vlan == VIOMMU_UNSET_NUMBER)
        return;
    viommu_xml_open(xml, "vlan");
    viommu_xml_open(xml, "tag");
    viommu_xml_attribute_number(xml, "id", device->vlan);
    viommu_xml_close(xml);
    viommu_xml_close(xml);
}

static void open_hostdev(ViommuXmlWriter *xml, const ViommuPlacedDevice *device)
{
    viommu_xml_open(xml, "hostdev");
    viommu_xml_attribute(xml, "mode", "subsystem");
    viommu_xml_attribute(xml, "type", "pci");
    viommu_xml_attribute(xml, "managed", device->unmanaged ? "no" : "yes");
    if (device->driver || device->iommufd)
        viommu_xml_empty(xml, "driver", "name", "vfio", "model", device->driver, "iommufd",
                         device->iommufd ? "yes" : NULL, NULL);
    write_source(xml, device);
}

void viommu_hostdev_write(ViommuXmlWriter *xml, const ViommuPlacedDevice *device, const ViommuXmlPlace *place)
{
    (viommu_placed_is_interface(device) ? open_interface : open_hostdev)(xml, device);
    viommu_xml_write_boot_order(xml, device->boot_order);
    if (device->rombar != VIOMMU_UNSET)
        viommu_xml_empty(xml, "rom", "bar", device->rombar ? "on" : "off", NULL);
    viommu_xml_write_place(xml, place);
    if (!place && device->guest_bus)
        viommu_xml_write_pci_address(xml, device->guest_bus, 0);
    viommu_xml_close(xml);
}
