/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* child: runs a command beside a machine: passes signals on to it, and says when the machine
 * disappears first. */
#pragma once

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/types.h>

#include "tools/ctl/launch.h"

/** Passes the signal of @info on to the child @pid, unless the terminal did.  Kills it for an alarm
 *  of this process. */
void viommu_ctl_child_pass_on(const struct signalfd_siginfo *info, pid_t pid);
/** The exit status that shells have for @status, of waitpid(). */
int viommu_ctl_child_status(int status);
/** Blocks the signals that are passed on, and those of children and alarms: a signalfd for them, or
 *  negative.  *ret_before: the mask before; whoever began restores it. */
int viommu_ctl_child_signals(sigset_t *ret_before);
/** Runs @command (NULL-terminated) with @environment, and sets the exit status of @ctl to its own,
 *  as shells do: 128 and the number of the signal that ended it.  Fails: INTERNAL if it cannot be
 *  run, with 126 or 127 as the exit status of @ctl; PAUSED, after the command was ended, if the
 *  guest waits for the host to mend one of its disks. */
bool viommu_ctl_child_run(ViommuCtl *ctl, const ViommuCtlLaunched *launched, char *const *command,
                          char *const *environment, GError **error);
