/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* admission: decides which launch may be made at all, and which one is next.  Knows the site's
 * limits and the machines; does not know how a launch is made. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/libvirt/backend.h"
#include "daemon/process/config.h"
#include "daemon/process/loop.h"
#include "daemon/files/copies-ledger.h"
#include "daemon/machines/registry.h"
#include "lib/plan/plan.h"

typedef struct ViommuAdmission ViommuAdmission;

/** All are borrowed. Owned.  On @loop the registry tells of places in the queue: of a burst of
 *  changes once, as each launch that comes or goes moves all that wait. */
ViommuAdmission *viommu_admission_new(ViommuLoop *loop, const ViommuConfig *config, ViommuRegistry *registry,
                                      ViommuLedger *ledger);
void viommu_admission_free(ViommuAdmission *admission);

/** Whether user @uid may have the machine of @request now.  Fails: BUSY, POLICY_REFUSED; BUSY also
 *  when as many of his launches hang as may run. */
bool viommu_admission_check(const ViommuAdmission *admission, const ViommuRequest *request, uint32_t uid,
                            GError **error);
/** Whether user @uid may have copies of @bytes now, for machine @uuid; if so, they are in the
 *  ledger from now on. Fails: BUSY, POLICY_REFUSED. */
bool viommu_admission_take_copies(const ViommuAdmission *admission, const char *uuid, uint32_t uid,
                                  uint64_t bytes, GError **error);
/** Whether @host, as it is now, has the memory that @plan locks or takes as huge pages, beside all
 *  other machines that are planned. Fails: BUSY. */
bool viommu_admission_check_memory(const ViommuAdmission *admission, const ViommuPlan *plan,
                                   const ViommuHost *host, GError **error);
/** What machine @uuid cannot have, of ViommuClaim: devices of all other machines, from their plan
 *  to their guest's end, and of @holders, of ViommuHolder, that run beside them (NULL: not asked
 *  for).  Owned; what is in it is borrowed, from both. */
GArray *viommu_admission_claims(const ViommuAdmission *admission, const GPtrArray *holders, const char *uuid);
/** The launch of @machine, its job, waits. */
void viommu_admission_enter(ViommuAdmission *admission, const ViommuRequest *request, ViommuMachine *machine);
/** The machine that is to be launched now; NULL when none waits, or enough are under way, at all or
 *  of each user who waits. */
ViommuMachine *viommu_admission_next(ViommuAdmission *admission);
/** The launch of @machine, still its job, has ended, or is not to wait any more. */
void viommu_admission_leave(ViommuAdmission *admission, ViommuMachine *machine);
/** A launch of user @uid hangs, though it has ended for everybody else: until it comes back it
 *  counts as one that runs for him, but for nobody else. */
void viommu_admission_hang(ViommuAdmission *admission, uint32_t uid);
void viommu_admission_unhang(ViommuAdmission *admission, uint32_t uid);
