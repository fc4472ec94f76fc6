/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held-devices: which of the host's PCI devices a guest has, by the XML of its domain, whoever
 * wrote it.  Knows where libvirt names them.  Does not know whose domain it is. */
#pragma once

#include <glib.h>

/** PCI addresses ("0000:01:00.0") of assigned devices, of interfaces that are such, and of NVMe
 *  disks.  Owned, g_strfreev(); often empty.  Fails: BACKEND, for XML that is no domain's. */
char **viommu_domain_hostdevs(const char *xml, GError **error);
