/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-policy: whether a site lets somebody have a device of the host.  Knows no request and no
 * other guests. */
#pragma once

#include "lib/policy/asker.h"
#include "lib/host/site.h"

/** Whether @asker may have @device, of which not all need be known (see viommu_site_selects()): it
 *  is listed, and where names of the site's take it, too, one of them is for @asker.  @site NULL:
 *  it lists nothing. */
bool viommu_device_policy_allows(const ViommuSite *site, const ViommuAsker *asker,
                                 const ViommuPciDevice *device);
/** Whether an administrator's leave is what @asker needs to have @device by its address: the site
 *  does not list it, or does not let it be taken from its driver. */
bool viommu_device_policy_is_beyond(const ViommuSite *site, const ViommuAsker *asker,
                                    const ViommuPciDevice *device);
/** What that leave is for, as an element of granted of ViommuAsker: the device at this address
 *  while it is this one, and has this driver. Owned. */
char *viommu_device_policy_grant(const ViommuPciDevice *device);
/** Whether @asker has that leave: also when the driver has let go of @device since. */
bool viommu_device_policy_is_granted(const ViommuAsker *asker, const ViommuPciDevice *device);
/** Whether @asker may ask by the name @name of the site's. */
bool viommu_device_policy_allows_name(const ViommuSite *site, const ViommuAsker *asker, const char *name);
/** Whether @driver, a module of the kernel's, may be asked for: one that is made for VFIO
 *  (@topology knows, or else this release of viommud), or that the site names. */
bool viommu_device_policy_allows_driver(const ViommuSite *site, const ViommuTopology *topology,
                                        const char *driver);
/** Whether a driver of the host's has it: none, VFIO's, or one that holds it only to keep others
 *  off, leave it free. */
bool viommu_device_policy_is_free(const ViommuPciDevice *device);
