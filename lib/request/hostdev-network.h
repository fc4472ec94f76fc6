/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hostdev-network: a virtual function that is a network interface, with a MAC address and a VLAN
 * that its physical function keeps. */
#pragma once

#include "lib/request/request.h"

/** Whether the device gets a MAC address or a VLAN from the host. */
bool viommu_request_hostdev_is_network(const ViommuRequestHostdev *hostdev);
/** Checks the two, and that nothing contradicts them.  Fails: INVALID_REQUEST. */
bool viommu_request_check_hostdev_network(const ViommuRequest *request, GError **error);
