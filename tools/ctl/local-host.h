/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* local-host: what the verbs that need no daemon work with: the site's policy, and a host, recorded or probed. */
#pragma once

#include "daemon/process/config.h"
#include "lib/host/host.h"
#include "tools/ctl/ctl.h"

/** Whether a user's own viommud is meant: --user; without either option, unless root asks. */
bool viommu_local_is_user(const ViommuCtl *ctl);
/** The configuration that the viommud of the same --user or --system would read, with --order over it.  Without either
 *  option: the user's unless root asks.  Tells unknown keys as warnings.  Owned. */
ViommuConfig *viommu_local_config(const ViommuCtl *ctl, GError **error);
/** The host in the file that --host names, else this one, asked through libvirt; with --root its hardware is what lies below
 *  that directory, and without --host or --connect nothing else is known.  *ret_uri, owned, NULL when libvirt was not asked;
 *  may be NULL.  Owned. */
ViommuHost *viommu_local_host(ViommuCtl *ctl, char **ret_uri, GError **error);
