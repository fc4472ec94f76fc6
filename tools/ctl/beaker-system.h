/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beaker-system: a host as Beaker's inventory would describe it: what /proc/cpuinfo, /sys/block and
 * the host's facts say.
 * Knows no job. */
#pragma once

#include "lib/host/host.h"
#include "tools/ctl/ctl.h"

/** Of ViommuBeakerFact.  Of a recorded host, what the recording has.  Owned,
 *  g_ptr_array_unref(). */
GPtrArray *viommu_ctl_beaker_facts(const ViommuCtl *ctl, const ViommuHost *host);
