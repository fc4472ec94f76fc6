/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* child: runs a command beside a machine: passes signals on to it, and says when the machine
 * disappears first. */
#pragma once

#include "tools/ctl/launch.h"

/** Runs @command (NULL-terminated) with @environment, and sets the exit status of @ctl to its own,
 *  as shells do: 128 and the number of the signal that ended it.  Fails: INTERNAL if it cannot be
 *  run, with 126 or 127 as the exit status of @ctl; PAUSED, after the command was ended, if the
 *  guest waits for the host to mend one of its disks. */
bool viommu_ctl_child_run(ViommuCtl *ctl, const ViommuCtlLaunched *launched, char *const *command,
                          char *const *environment, GError **error);
