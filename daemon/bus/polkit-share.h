/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit-share: bounds the pending questions to polkit.  dbus-daemon ends calls of a connection
 * beyond 128 that wait for replies, so the total leaves room for viommud's own calls.  A user gets
 * at most half of what all others leave, so a few users cannot fill it.  Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define VIOMMU_AUTH_SHARE_MAX          96
#define VIOMMU_AUTH_SHARE_MAX_PER_USER 32

/* Pending questions. */
typedef struct ViommuAuthShare {
    unsigned own; /* about one user */
    unsigned all; /* about all users, this one included */
} ViommuAuthShare;

/** Counts a question about @one, for @uid. */
void viommu_auth_share_count(ViommuAuthShare *share, uint32_t one, uint32_t uid);
/** Whether another question about user @uid may be asked.  Fails: BUSY. */
bool viommu_auth_share_check(const ViommuAuthShare *share, uint32_t uid, GError **error);
