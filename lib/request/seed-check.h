/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* seed-check: whether a seed does not contradict itself, and its keys are public ones.  Knows the
 * forms of keys; never looks at the guest. */
#pragma once

#include "lib/request/request.h"

/** Why @text may not be an SSH key of a request: it is a private one, or a part of one.  NULL: it
 *  does not look like that.  Static. */
const char *viommu_seed_refuse_private(const char *text);

/** Fails: INVALID_REQUEST, and names the key.  The message never quotes an SSH key, which may be a
 *  private one. */
bool viommu_seed_check(const ViommuRequestSeed *seed, GError **error);

/** Whether @name is a portable name of a POSIX user, at most 32 characters. */
bool viommu_seed_user_is_valid(const char *name);
