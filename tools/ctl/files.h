/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: the files that a request names, as the caller sees them: relative paths, and files opened
 * with the caller's rights.  Does not judge the request. */
#pragma once

#include <glib.h>

/** @request with absolute paths of its files.  A value that is not a path is kept; the parser
 *  refuses it.  Owned. */
GVariant *viommu_ctl_files_absolute(GVariant *request);
/** @request with open files instead of paths; the handles are the descriptors themselves.
 *  *ret_fds: of int, closed with the array; owned.  Fails: INVALID_REQUEST. Owned. */
GVariant *viommu_ctl_files_open(GVariant *request, GArray **ret_fds, GError **error);
