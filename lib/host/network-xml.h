/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* network-xml: reads from libvirt's description of a network where it leads.  Knows no policy. */
#pragma once

#include <glib.h>

/** The forward mode: "nat", "bridge", ...; "none" for an isolated network; like libvirt, "nat" when
 *  <forward> names none.  Owned.  Fails: BACKEND. */
char *viommu_network_forward_mode(const char *xml, GError **error);
