/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth: who may call what.  The whole policy, in plain words:
 *
 *   On a user's own bus (--user) the user and root may call everything; nobody else may call anything.
 *   On the system bus everybody may read; only root, and the user that the daemon runs as, may change anything.
 *   A method that is not in the table is denied.
 *
 * The caller is identified by the credentials that the bus vouches for, never by its process. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>

typedef struct ViommuAuth ViommuAuth;

typedef enum ViommuAction {
    VIOMMU_ACTION_READ,   /* learn: plans, machines, the host */
    VIOMMU_ACTION_LAUNCH, /* make a machine of one's own */
    VIOMMU_ACTION_MANAGE, /* end or disturb a machine */
    VIOMMU_ACTION_LAST,
} ViommuAction;

/** @user: the bus is a user's own. Owned. */
ViommuAuth *viommu_auth_new(bool user);
void viommu_auth_free(ViommuAuth *auth);

/** Whether the sender of @call may call it; to be asked before anything is changed.  @ret_uid: who it is; may be NULL.
 *  Fails: POLICY_REFUSED. */
bool viommu_auth_check(ViommuAuth *auth, sd_bus_message *call, uint32_t *ret_uid, GError **error);
