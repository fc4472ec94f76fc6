/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-size: the size of this host, for limits that the site does not set.  Asks the kernel; knows
 * no limits. */
#pragma once

#include "lib/policy/bounds.h"

/** @copies, @logs: directories, which need not exist.  @is_local: libvirt runs on this host, so
 *  guests use this host's memory and CPUs; otherwise memory and CPUs stay unknown. */
void viommu_hostsize_measure(const char *copies, const char *logs, bool is_local, ViommuBoundsHost *ret_host);
