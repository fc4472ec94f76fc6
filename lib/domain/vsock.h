/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* vsock: the context that libvirt gave a running guest, from the guest's XML. */
#pragma once

#include <glib.h>
#include <stdint.h>

/** 0: the guest has no vsock device, or libvirt has not chosen its context yet.  Fails: BACKEND,
 *  when @xml is not a domain's; then 0, too. */
uint32_t viommu_domain_vsock_cid(const char *xml, GError **error);
