/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held-devices: lists the PCI devices of the host that a guest has, from the XML of any domain,
 * viommud's or not. */
#pragma once

#include <glib.h>

/** PCI addresses ("0000:01:00.0") of assigned devices, of interfaces that are assigned devices, and
 *  of NVMe disks.  Owned, g_strfreev(); often empty.  Fails: BACKEND, when @xml is not a
 *  domain's. */
char **viommu_domain_hostdevs(const char *xml, GError **error);
