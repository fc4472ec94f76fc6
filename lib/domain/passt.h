/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* passt: the ports that passt forwards to a guest, from the guest's XML. */
#pragma once

#include <glib.h>

/** Array of ViommuForward, owned; what is not as viommud writes it is skipped.  NULL: passt serves
 *  none of the guest's networks.  Fails: BACKEND, when @xml is not a domain's; then NULL, too. */
GArray *viommu_domain_passt_forwards(const char *xml, GError **error);
