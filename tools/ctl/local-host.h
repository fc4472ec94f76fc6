/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* local-host: the site's policy and a recorded or probed host, for the verbs that need no
 * daemon. */
#pragma once

#include "daemon/process/config.h"
#include "lib/host/host.h"
#include "lib/request/request.h"
#include "tools/client/client.h"
#include "tools/ctl/ctl.h"

/** Whether to act for a user's own viommud: with --user; without an option, unless the caller is
 *  root or asks a fleet. */
bool viommu_local_is_user(const ViommuCtl *ctl);
/** The configuration that viommud would read with the same --user or --system, overridden by
 *  --order.  Without either option: the user's, unless the caller is root.  Prints a warning for
 *  each unknown key.  Owned. */
ViommuConfig *viommu_local_config(const ViommuCtl *ctl, GError **error);
/** The URI of this host's libvirt: that of --connect, else of the environment, else as for
 *  viommu_local_is_user().  Borrowed. */
const char *viommu_local_uri(const ViommuCtl *ctl);
/** The recorded host in @file.  Owned.  Fails: INVALID_REQUEST naming the file. */
ViommuHost *viommu_local_host_read(const char *file, GError **error);
/** Puts what the site says of the image that @request names, or what the directory --images says,
 *  into it.  The images of a recorded host are not known, and the plan refuses. */
bool viommu_local_image(const ViommuCtl *ctl, const ViommuConfig *config, ViommuRequest *request,
                        GError **error);
/** The host in the file of --host, otherwise this host, as libvirt reports it.  With --root, its
 *  hardware is read below that directory; without --host or --connect, nothing else is known then.
 *  *ret_uri: owned, NULL if libvirt was not asked; may be NULL. Owned. */
ViommuHost *viommu_local_host(ViommuCtl *ctl, char **ret_uri, GError **error);
/** What viommud knows of its libvirt, without hardware; NULL: nothing. Owned. */
ViommuHost *viommu_local_host_by_viommud(ViommuClient *client);
/** As viommu_local_host().  With --system, if libvirt refuses the caller, as it does a member of
 *  viommud's group: as the system's viommud knows it. Owned. */
ViommuHost *viommu_local_host_known(ViommuCtl *ctl, GError **error);
