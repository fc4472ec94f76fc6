/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: the files that a request names, from where the person stands: relative paths, and files opened with their rights.
 * Does not judge the request. */
#pragma once

#include <glib.h>

/** @request with the paths of its files from the root on.  What is no path stays as it is, for the parser to complain of. Owned. */
GVariant *viommu_ctl_files_absolute(GVariant *request);
/** @request with its files open in place of their paths, as handles that are the descriptors themselves.  *ret_fds: of int, which are closed
 *  with it; owned.  Fails: INVALID_REQUEST. Owned. */
GVariant *viommu_ctl_files_open(GVariant *request, GArray **ret_fds, GError **error);
