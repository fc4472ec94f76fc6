/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request-check: is the request consistent in itself?  Never looks at the host. */
#pragma once

#include "lib/request/request.h"

/** Fails: INVALID_REQUEST, or NOT_SUPPORTED as viommu_request_parse() says. */
bool viommu_request_check(const ViommuRequest *request, GError **error);

/** True when @name can name a machine: lower-case letters, digits, hyphens inside; at most 63
 *  characters. */
bool viommu_request_name_is_valid(const char *name);
