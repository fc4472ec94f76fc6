/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* remote: the system bus of another host, through ssh and systemd-stdio-bridge, as
 * sd_bus_open_system_remote() has it, but a host that does not answer fails within seconds. */
#pragma once

#include <glib.h>
#include <systemd/sd-bus.h>

/** @host: [USER@]HOST[:PORT][/CONTAINER].  Waits until the bus has greeted.  ssh prints its own
 *  errors on standard error.  Returns a negative errno on failure; *ret_bus may be set then. */
int viommu_remote_open(sd_bus **ret_bus, const char *host);
/** ProxyJump of ssh_config(5), with which ssh passes through @host to a guest there.  Owned,
 *  g_free().  Fails: NOT_SUPPORTED for a container, into which ssh does not pass. */
char *viommu_remote_jump(const char *host, GError **error);
