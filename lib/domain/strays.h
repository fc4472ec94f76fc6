/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* strays: devices that viommud took from a driver of the host and that have not returned to it.
 * Reads recorded words and the host's topology; does not know when to look. */
#pragma once

#include "lib/host/topology.h"

/** Compares @host_drivers, the record in a machine's metadata ("ADDRESS=DRIVER ..."), with
 *  @topology, and describes each device that has lost its driver and the commands with which root
 *  returns it.  Devices in @held (addresses; NULL: none) are skipped.  NULL: every device has its
 *  driver, or the topology is unknown.  Owned, g_free(). */
char *viommu_strays_describe(const char *host_drivers, const ViommuTopology *topology,
                             const char *const *held);
