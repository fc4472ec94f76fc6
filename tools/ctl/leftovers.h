/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* leftovers: asks viommud and libvirt which machines viommud does not count, and what is left of
 * those that are gone. */
#pragma once

#include "tools/client/client.h"
#include "tools/ctl/ctl.h"
#include "tools/doctor/doctor.h"

/** @client NULL: no viommud answers, so it counts nothing.  @uri: of libvirt.  @config NULL: its
 *  defaults.  Owned, viommu_leftovers_free(); NULL: libvirt does not tell. */
ViommuLeftovers *viommu_ctl_find_leftovers(ViommuClient *client, const char *uri, bool system,
                                           const ViommuConfig *config);
