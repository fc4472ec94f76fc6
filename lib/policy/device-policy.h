/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-policy: whether a site lets a user have a device of the host.  Knows neither requests nor
 * other guests. */
#pragma once

#include "lib/policy/asker.h"
#include "lib/host/site.h"

/** Whether @asker may have @device, parts of which may be unknown (see viommu_site_selects()): it
 *  is listed, and if names of the site select it, one of them is for @asker.  @site NULL: lists
 *  nothing. */
bool viommu_device_policy_allows(const ViommuSite *site, const ViommuAsker *asker,
                                 const ViommuPciDevice *device);
/** Whether @asker needs an administrator's permission to have @device by its address: the site does
 *  not list it, or does not let it be taken from its driver. */
bool viommu_device_policy_is_beyond(const ViommuSite *site, const ViommuAsker *asker,
                                    const ViommuPciDevice *device);
/** The permission as an element of ViommuAsker.granted: for the device at this address, while it is
 *  the same device with this driver.  Owned. */
char *viommu_device_policy_grant(const ViommuPciDevice *device);
/** Whether @asker has that permission; it also holds after the driver has released @device. */
bool viommu_device_policy_is_granted(const ViommuAsker *asker, const ViommuPciDevice *device);
/** Whether @asker may request the site's name @name. */
bool viommu_device_policy_allows_name(const ViommuSite *site, const ViommuAsker *asker, const char *name);
/** Whether @driver, a kernel module, may be requested: it is made for VFIO (by @topology, or else
 *  by this release's list), or the site names it. */
bool viommu_device_policy_allows_driver(const ViommuSite *site, const ViommuTopology *topology,
                                        const char *driver);
/** Whether a driver of the host uses the device.  Without a driver, with a VFIO driver, or with one
 *  that only reserves it, the device is free. */
bool viommu_device_policy_is_free(const ViommuPciDevice *device);
