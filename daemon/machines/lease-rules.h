/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-rules: decides how long the site lets a machine stay: [leases] of viommud.conf(5).  The
 * rules bind the users that the site's policy binds; they do not bind root, or the user of a user's
 * own daemon.  Knows requests, not machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/process/config.h"
#include "lib/policy/asker.h"
#include "lib/domain/metadata.h"
#include "lib/request/request.h"

typedef struct ViommuLease {
    uint64_t seconds;  /* 0: none */
    char *note;        /* a warning for the user; NULL: none.  Owned */
    uint64_t end_usec; /* CLOCK_BOOTTIME; 0: none, or not started */
    bool service;      /* of a machine of the system's viommud */
} ViommuLease;

/** The lease for @request.  *ret_lease: viommu_lease_clear().  Fails: POLICY_REFUSED when it is too
 *  long. */
bool viommu_lease_settle(const ViommuConfig *config, const ViommuRequest *request, const ViommuAsker *asker,
                         ViommuLease *ret_lease, GError **error);
/** Starts the lease. */
void viommu_lease_begin(ViommuLease *lease);
/** Writes the lease into the metadata of its machine. */
void viommu_lease_write(const ViommuLease *lease, ViommuMetadata *metadata);
/** Whether a lease may end @seconds from now.  Fails: POLICY_REFUSED. */
bool viommu_lease_check(const ViommuConfig *config, uint64_t seconds, GError **error);
void viommu_lease_clear(ViommuLease *lease);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuLease, viommu_lease_clear)
