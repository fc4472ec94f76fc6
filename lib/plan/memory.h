/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory: page size, locking, how much QEMU may have to lock, and whether the host
 * has it.  Knows no XML. */
#pragma once

#include "lib/plan/plan.h"

/* What guests keep of the host's memory for as long as they run: it is neither
 * swapped nor given back. */
typedef struct ViommuPinned {
    uint64_t page_size_bytes; /* 0: no huge pages */
    uint64_t huge_bytes;      /* of these */
    uint64_t ordinary_bytes;  /* locked */
} ViommuPinned;

/** What a guest with so much memory locks of the host's; 0 when it neither is @locked nor has
 *  assigned devices, which locks all its memory and 1 GiB for QEMU itself. */
uint64_t viommu_memory_bound(uint64_t memory_bytes, bool locked);
/** RLIMIT_MEMLOCK that libvirt gives QEMU for @n_devices assigned devices (its
 *  qemuDomainGetMemLockLimitBytes): memory once and 1 GiB; behind an IOMMU memory for each of them,
 *  since libvirt 8.7. */
uint64_t viommu_memory_hostdev_limit(uint64_t memory_bytes, unsigned n_devices, bool has_iommu,
                                     ViommuVersion libvirt);
/** Of one guest.  A limit that counts memory several times locks it once.  @page_size_bytes as in a
 *  request or a plan: 0, unset and 4 KiB are ordinary pages. */
ViommuPinned viommu_memory_pinned(uint64_t memory_bytes, uint64_t page_size_bytes, uint64_t memlock_bytes);

/** Whether the host has @wanted beside @used, which is of the same page size; what is not
 *  known of the host is not held against it.  Ordinary pages: its memory without the pools
 *  of huge pages and the policy's reserve.  Huge pages: the pool.
 *  Fails: NOT_SUPPORTED when it is too much for the host alone, BUSY when it is too much
 *  now; with the numbers. */
bool viommu_memory_check_room(const ViommuHost *host, const ViommuPolicy *policy, const ViommuPinned *wanted,
                              const ViommuPinned *used, GError **error);
/** Whether so many huge pages are free, whoever has the others.  @promised_bytes: not taken yet by
 *  guests that will.
 *  Fails: BUSY. */
bool viommu_memory_check_free(const ViommuHost *host, const ViommuPinned *wanted, uint64_t promised_bytes,
                              GError **error);

/** What is to be told when a QEMU that was started for @plan may lock @live_bytes, its
 *  RLIMIT_MEMLOCK (VIOMMU_UNSET_NUMBER: not known), and that is less than was planned.  NULL: all
 *  is well, also with more.  Owned. */
char *viommu_memory_compare_limit(const ViommuPlan *plan, uint64_t live_bytes);
