/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-lock: reserves the name of the file with which libvirt locks a console's terminal.
 * libvirt's daemon reads /var/lock/LCK..NAME, whoever created it, before it opens a terminal and
 * while it holds the domain.  Where every user may write to that directory (Debian), a FIFO of that
 * name would block the daemon for good, and all clients that list its domains.  So viommud creates
 * the file first: the directory is sticky, and only root can replace the file. */
#pragma once

#include <stdbool.h>
#include <glib.h>

/** Call it before libvirt opens @terminal.  *ret_path: for viommu_console_lock_release(); NULL:
 *  only root can write to the directory.  Owned.  Fails: BACKEND, when somebody else created a file
 *  of that name.  Any thread. */
bool viommu_console_lock_take(const char *directory, const char *terminal, char **ret_path, GError **error);
/** Call it when libvirt has opened the terminal, or has failed to.  @path: taken; NULL: does
 *  nothing. */
void viommu_console_lock_release(char *path);
