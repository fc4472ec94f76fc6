/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostdev-xml: the elements of assigned devices, and what other devices share with them.  Only for
 * lib/domain. */
#pragma once

#include "lib/base/xml-write.h"
#include "lib/plan/placement.h"

/** Writes the element of @device. */
void viommu_hostdev_write(ViommuXmlWriter *xml, const ViommuPlacedDevice *device);
/** Writes the address in the guest. */
void viommu_xml_write_pci_address(ViommuXmlWriter *xml, unsigned bus, unsigned slot);
/** Writes the place in the boot order; nothing for VIOMMU_UNSET_NUMBER. */
void viommu_xml_write_boot_order(ViommuXmlWriter *xml, uint64_t place);
