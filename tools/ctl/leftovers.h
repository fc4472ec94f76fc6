/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leftovers: asks viommud and libvirt for machines that viommud does not count, and for the remains
 * of machines that are gone. */
#pragma once

#include "tools/client/client.h"
#include "tools/ctl/ctl.h"
#include "tools/doctor/doctor.h"

/** @client NULL: viommud does not answer, so it counts nothing.  @uri: of libvirt.  @config NULL:
 *  its defaults.  Owned, viommu_leftovers_free(); NULL: libvirt does not answer. */
ViommuLeftovers *viommu_ctl_find_leftovers(ViommuClient *client, const char *uri, bool system,
                                           const ViommuConfig *config);
