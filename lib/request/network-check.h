/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* network-check: checks that the networks of a request contradict neither themselves nor one
 * another.  Never looks at the host. */
#pragma once

#include "lib/request/request.h"

/** Fails: INVALID_REQUEST. */
bool viommu_request_check_networks(const ViommuRequest *request, GError **error);
