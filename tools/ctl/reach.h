/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reach: how the ssh server of a machine's guest is reached, and whether it answers. */
#pragma once

#include "tools/client/login.h"
#include "tools/ctl/machine.h"

#define VIOMMU_REACH_SECONDS 600

/** Where port 22 of the guest is, by the property Forwards.  *ret_address: owned. */
bool viommu_ctl_reach_port(GVariant *properties, char **ret_address, unsigned *ret_port);
/** The login at the machine with @properties: the address, the user and the key are those of the
 *  options, else the forwarded port or an address of the guest, and the user and the key that "run
 *  --inside" made, else root. Fails: NOT_SUPPORTED if no port leads to the guest;
 *  INVALID_REQUEST if ssh cannot take a path. */
bool viommu_ctl_reach_login(const ViommuCtl *ctl, GVariant *properties, ViommuLogin *ret_login,
                            GError **error);
/** Whether the machine @path runs, or may yet.  Fails: NOT_FOUND if it has ended; PAUSED if it
 *  waits for the host. */
bool viommu_ctl_reach_runs(ViommuCtl *ctl, ViommuClient *client, const char *path, GError **error);
/** Waits until an ssh server answers at the address of @login.  Fails: TIMEOUT after @seconds;
 *  NOT_FOUND if the machine @path ends before; PAUSED if it waits for the host. */
bool viommu_ctl_reach_wait(ViommuCtl *ctl, ViommuClient *client, const char *path, const ViommuLogin *login,
                           guint64 seconds, GError **error);
