/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-size: how large this host is, for bounds that its site does not set.  Asks the kernel; knows no limits. */
#pragma once

#include "lib/policy/bounds.h"

/** @copies, @logs: directories, there or not.  @is_local: libvirt is on this host, whose memory and CPUs guests take; else these two
 *  are not known. */
void viommu_hostsize_measure(const char *copies, const char *logs, bool is_local, ViommuBoundsHost *ret_host);
