/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* network-xml: what libvirt's description of a network says of where it leads.  Knows no policy. */
#pragma once

#include <glib.h>

/** The forward mode: "nat", "bridge", ...; "none" of a network that is isolated; as libvirt, "nat"
 *  where <forward> names none. Owned.  Fails: BACKEND. */
char *viommu_network_forward_mode(const char *xml, GError **error);
