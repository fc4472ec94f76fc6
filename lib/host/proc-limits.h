/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc-limits: other processes of a host, as its /proc shows them: libvirt's daemons, the QEMU of
 * a guest, and what they may lock. Read below a root directory.  A service may be shown no others
 * than its own: what is not seen is not known. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/base/enum.h"

#define VIOMMU_PROCESS_UNLIMITED (VIOMMU_UNSET_NUMBER - 1)

/** The daemon of libvirt that starts QEMU for user @uid (0: the system's; VIOMMU_UNSET_NUMBER: for
 *  anybody).  0: none is seen. *ret_name: "libvirtd" or "virtqemud"; static; may be NULL. */
uint64_t viommu_process_find_libvirt(const char *root, uint64_t uid, const char **ret_name);
/** The QEMU of the guest with this UUID, which libvirt has put on its command line.  0: none is
 *  seen. */
uint64_t viommu_process_find_guest(const char *root, const char *uuid);
/** The UUID that libvirt has put on the command line of process @pid. Owned, g_free(); NULL: there
 *  is none. */
char *viommu_process_guest_uuid(const char *root, uint64_t pid);

/** RLIMIT_MEMLOCK of process @pid, the hard limit; VIOMMU_PROCESS_UNLIMITED, or
 *  VIOMMU_UNSET_NUMBER: cannot be seen. */
uint64_t viommu_process_locked_limit(const char *root, uint64_t pid);
/** The most that it can give another process: no bound, when it has CAP_SYS_RESOURCE, else its own
 *  hard limit. */
uint64_t viommu_process_lockable(const char *root, uint64_t pid);
