/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boottime: the clock of leases, and the boot that it belongs to.  Nobody can set this clock, and
 * it counts the time that the host sleeps. */
#pragma once

#include <glib.h>
#include <stdint.h>

/** Microseconds of CLOCK_BOOTTIME; never 0. */
uint64_t viommu_boottime_now(void);
/** The id of this boot, as 32 hexadecimal digits; all zeros: not known.  Static. */
const char *viommu_boottime_boot(void);
