/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fact-probe: the smallest domain that shows whether a fact holds for an emulator: libvirt either
 * fails to convert it to native arguments, or the arguments show that nothing was dropped.  Calls
 * no libvirt. */
#pragma once

#include <stdbool.h>
#include "lib/host/host.h"

/** The domain for @fact.  *ret_shows: the part of QEMU's arguments that shows success; static.
 *  @return owned; NULL: libvirt cannot show this fact, or not for this emulator's architecture. */
char *viommu_fact_probe(ViommuFactId fact, const ViommuEmulator *emulator, const char **ret_shows);
/** The same domain without what is asked, for a fact whose domain libvirt also refuses because of
 *  the host: where libvirt refuses this one, its answer says nothing of the fact.  @return owned;
 *  NULL: the fact needs none. */
char *viommu_fact_probe_ground(ViommuFactId fact, const ViommuEmulator *emulator);
