/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept: descriptors that systemd keeps while viommud is restarted (FileDescriptorStoreMax=,
 * sd_pid_notify_with_fds(3)), each by a name.  Without systemd, none is kept.  Does not know what
 * they are. */
#pragma once

typedef struct ViommuKept ViommuKept;

/** Takes all that systemd has kept.  No other program may have been started yet: it would inherit
 *  them.  Owned. */
ViommuKept *viommu_kept_new(void);
/** Closes those that nobody has taken. */
void viommu_kept_free(ViommuKept *kept);
/** Owned.  -1: none of that name. */
int viommu_kept_take(ViommuKept *kept, const char *name);
/** systemd keeps @fd, which is borrowed, from now on. */
void viommu_kept_store(const char *name, int fd);
