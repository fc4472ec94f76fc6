/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strays: devices that were taken from a driver of the host's, and that do not have it again.  Knows words and the host's hardware; does not
 * know when to look. */
#pragma once

#include "lib/host/topology.h"

/** What of @host_drivers, as it stands in a machine's metadata ("ADDRESS=DRIVER ..."), is not so on the host of @topology, and what root can
 *  do about it, in words; @held, addresses (NULL: none), are left out.  NULL: all is well, or cannot be seen.  Owned, g_free(). */
char *viommu_strays_describe(const char *host_drivers, const ViommuTopology *topology,
                             const char *const *held);
