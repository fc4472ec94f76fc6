/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request-check: checks that a request does not contradict itself.  Never looks at the host. */
#pragma once

#include "lib/request/request.h"

/** Fails: INVALID_REQUEST, or NOT_SUPPORTED, like viommu_request_parse(). */
bool viommu_request_check(const ViommuRequest *request, GError **error);

/** Whether @name is valid for a machine: lower-case letters, digits, hyphens inside; at most 63
 *  characters. */
bool viommu_request_name_is_valid(const char *name);

#define VIOMMU_IMAGE_NAME_MAX 64u
/** Whether @name is valid for an image of the site.  It becomes a file's name: letters, digits,
 *  ".", "_", "+" and "-". */
bool viommu_request_image_is_valid(const char *name);

#define VIOMMU_DIGEST_PREFIX "sha256:"
/** Whether @digest is "sha256:" and 64 hexadecimal digits in lower case. */
bool viommu_request_digest_is_valid(const char *digest);
