/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fact-probe: the smallest domain by which libvirt can be asked whether a fact holds for an
 * emulator: converted to native arguments it either fails, or the arguments show that nothing was
 * dropped.  Calls no libvirt. */
#pragma once

#include <stdbool.h>
#include "lib/host/host.h"

/** The domain for @fact.  *ret_shows: what stands in QEMU's arguments when it was understood;
 *  static. @return owned; NULL: this fact is not one that libvirt tells, or not of this emulator's
 *  architecture. */
char *viommu_fact_probe(ViommuFactId fact, const ViommuEmulator *emulator, const char **ret_shows);
