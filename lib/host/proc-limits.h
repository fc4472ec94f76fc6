/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc-limits: other processes of a host in its /proc, below a root directory: libvirt's daemons,
 * the QEMU of a guest, and how much they may lock.  A service may see only its own processes: a
 * hidden process is unknown. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/enum.h"

#define VIOMMU_PROCESS_UNLIMITED (VIOMMU_UNSET_NUMBER - 1)

/** libvirt's daemon that starts QEMU for user @uid (0: the system's; VIOMMU_UNSET_NUMBER: any).  0:
 *  none is visible.  *ret_name: "libvirtd" or "virtqemud"; static; may be NULL. */
uint64_t viommu_process_find_libvirt(const char *root, uint64_t uid, const char **ret_name);
/** The QEMU of the guest with this UUID, which libvirt puts on the command line.  0: none is
 *  visible. */
uint64_t viommu_process_find_guest(const char *root, const char *uuid);
/** The UUID that libvirt put on the command line of process @pid.  Owned, g_free(); NULL: none. */
char *viommu_process_guest_uuid(const char *root, uint64_t pid);

/** The hard limit RLIMIT_MEMLOCK of process @pid; VIOMMU_PROCESS_UNLIMITED, or VIOMMU_UNSET_NUMBER:
 *  not visible. */
uint64_t viommu_process_locked_limit(const char *root, uint64_t pid);
/** The highest limit that it can give another process: unlimited with CAP_SYS_RESOURCE, else its
 *  own hard limit. */
uint64_t viommu_process_lockable(const char *root, uint64_t pid);
