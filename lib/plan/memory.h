/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory: page size, locking, how much QEMU may have to lock, and whether the host has that much.
 * Knows no XML. */
#pragma once

#include "lib/plan/plan.h"

/* Memory that guests take from the host for as long as they run: it is neither swapped nor given
 * back. */
typedef struct ViommuPinned {
    uint64_t page_size_bytes; /* 0: no huge pages */
    uint64_t huge_bytes;      /* of these */
    uint64_t ordinary_bytes;  /* locked */
} ViommuPinned;

/** How much a guest with this memory locks: 0 unless it is @locked or has assigned devices; then
 *  all its memory, and 1 GiB for QEMU. */
uint64_t viommu_memory_bound(uint64_t memory_bytes, bool locked);
/** The RLIMIT_MEMLOCK that libvirt gives QEMU for @n_devices assigned devices and @n_vdpa networks
 *  of vDPA (its qemuDomainGetMemLockLimitBytes): the memory once and 1 GiB; since libvirt 8.7 the
 *  memory for each of these networks, and behind an IOMMU for each of these devices. */
uint64_t viommu_memory_hostdev_limit(uint64_t memory_bytes, unsigned n_devices, unsigned n_vdpa,
                                     bool has_iommu, ViommuVersion libvirt);
/** Of one guest.  A limit may count the memory several times, but it is locked once.
 *  @page_size_bytes as in a request or a plan: 0, unset and 4 KiB are ordinary pages.  A host may
 *  have larger ordinary pages, which the caller takes for 0. */
ViommuPinned viommu_memory_pinned(uint64_t memory_bytes, uint64_t page_size_bytes, uint64_t memlock_bytes);

/** Whether the host has @wanted in addition to @used, which has the same page size; unknown values
 *  of the host never refuse.  Ordinary pages: the host's memory without pools of huge pages and the
 *  policy's reserve.  Huge pages: the pool.  Fails, with the numbers: NOT_SUPPORTED when it is too
 *  much for the host alone, BUSY when it is too much now. */
bool viommu_memory_check_room(const ViommuHost *host, const ViommuPolicy *policy, const ViommuPinned *wanted,
                              const ViommuPinned *used, GError **error);
/** Whether so many huge pages are free, whatever uses the others.  @promised_bytes: what running
 *  guests will still take.  Fails: BUSY. */
bool viommu_memory_check_free(const ViommuHost *host, const ViommuPinned *wanted, uint64_t promised_bytes,
                              GError **error);

/** The warning when a QEMU that was started for @plan may lock less than planned.  @live_bytes: its
 *  RLIMIT_MEMLOCK (VIOMMU_UNSET_NUMBER: not known).  NULL: it may lock enough.  Owned. */
char *viommu_memory_compare_limit(const ViommuPlan *plan, uint64_t live_bytes);
