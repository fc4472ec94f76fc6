/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* network-policy: whether a site lets users other than root use a network.  Knows what libvirt's
 * forward modes mean; does not know libvirt. */
#pragma once

#include "lib/request/request.h"
#include "lib/host/site.h"

/** For a member.  @index: of @network in the request.  @mode: the forward mode of the libvirt
 *  network, "none" without one; NULL or "": not known.  @site NULL: the defaults.  Fails:
 *  POLICY_REFUSED. */
bool viommu_network_policy_check(const ViommuSite *site, const ViommuRequestNetwork *network, unsigned index,
                                 const char *mode, GError **error);
/** Whether @mode keeps a guest on a bridge of libvirt: "nat", "route" or "none". */
bool viommu_network_policy_is_own(const char *mode);
