/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request-check: checks that a request does not contradict itself.  Never looks at the host. */
#pragma once

#include "lib/request/request.h"

/** Fails: INVALID_REQUEST, or NOT_SUPPORTED, like viommu_request_parse(). */
bool viommu_request_check(const ViommuRequest *request, GError **error);

/** Whether @name is valid for a machine: lower-case letters, digits, hyphens inside; at most 63
 *  characters. */
bool viommu_request_name_is_valid(const char *name);
