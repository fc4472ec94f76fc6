/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-lock: the name of the file by which libvirt locks a console's terminal, kept from
 * strangers.
 *
 * libvirt's daemon reads /var/lock/LCK..NAME before it opens a terminal, whoever has made it, and
 * while it holds the domain.  Where everybody may write to that directory (Debian), a stranger's
 * FIFO of that name would hold up the daemon for good, and all who list its domains with it.  So
 * the name is taken first: the directory is sticky, and only root can put another file in its
 * place. */
#pragma once

#include <stdbool.h>
#include <glib.h>

/** Before libvirt opens @terminal.  *ret_path: what viommu_console_lock_release() takes afterwards;
 *  NULL: only root can write there.  Owned.  Fails: BACKEND, when somebody else has the name.  Any
 *  thread. */
bool viommu_console_lock_take(const char *directory, const char *terminal, char **ret_path, GError **error);
/** When libvirt has opened it, or has not.  Takes @path, NULL for nothing. */
void viommu_console_lock_release(char *path);
