/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* removal: the blocking work that every way of ending shares: destroy, undefine, delete what else was made.
 * Knows libvirt through the backend; does not know why a machine ends. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/backend.h"

/** Blocks: for a worker.  @copies: the directory of daemon/copies.h.  What is not there any more is success.
 *  Fails: BACKEND; INTERNAL. */
bool viommu_removal_run(ViommuBackend *backend, const char *copies, const char *uuid, GError **error);
