/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostdev-xml: the elements of assigned devices, and what other devices share with them.  Only for
 * lib/domain. */
#pragma once

#include "lib/base/xml-write.h"
#include "lib/plan/placement.h"

/** Writes the element of @device. */
/* Where a device is attached to a machine that runs. */
typedef struct ViommuXmlPlace {
    const char *alias;
    unsigned bus; /* 0: libvirt chooses */
} ViommuXmlPlace;

/** @place NULL: the device is there from the beginning, and the plan has its place. */
void viommu_hostdev_write(ViommuXmlWriter *xml, const ViommuPlacedDevice *device,
                          const ViommuXmlPlace *place);
/** Writes the elements of @place, if there is one. */
void viommu_xml_write_place(ViommuXmlWriter *xml, const ViommuXmlPlace *place);
/** Writes the address in the guest. */
void viommu_xml_write_pci_address(ViommuXmlWriter *xml, unsigned bus, unsigned slot);
/** Writes the place in the boot order; nothing for VIOMMU_UNSET_NUMBER. */
void viommu_xml_write_boot_order(ViommuXmlWriter *xml, uint64_t place);
