/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* admission: decides whether a launch is accepted, and which one is next.  Knows the site's limits
 * and the machines; does not know how a launch is made. */
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

/** All are borrowed. Owned.  Places in the queue are signalled on @loop, once for a burst of
 *  changes, because each launch that comes or goes moves all that wait. */
ViommuAdmission *viommu_admission_new(ViommuLoop *loop, const ViommuConfig *config, ViommuRegistry *registry,
                                      ViommuLedger *ledger);
void viommu_admission_free(ViommuAdmission *admission);

/** Checks that user @uid may have the machine of @request now.  Fails: BUSY, POLICY_REFUSED; BUSY
 *  also when as many launches of the user hang as may run at once. */
bool viommu_admission_check(const ViommuAdmission *admission, const ViommuRequest *request, uint32_t uid,
                            GError **error);
/** What all users together have now, of each resource: *ret_used.all. */
void viommu_admission_used(const ViommuAdmission *admission, ViommuAmounts *ret_used);
/** Checks that user @uid may have copies and overlays of @size now, for machine @uuid, and enters
 *  them in the ledger. Fails: BUSY, POLICY_REFUSED. */
bool viommu_admission_take_copies(const ViommuAdmission *admission, const char *uuid, uint32_t uid,
                                  const ViommuCopiesSize *size, GError **error);
/** Checks that @host, as it is now, has the memory that @plan locks or takes as huge pages, beside
 *  all other machines that are planned.  A guest that runs has its huge pages.  Fails: BUSY. */
bool viommu_admission_check_memory(const ViommuAdmission *admission, const ViommuPlan *plan,
                                   const ViommuHost *host, GError **error);
/** The devices that machine @uuid cannot have, of ViommuClaim: those of all other machines, from
 *  their plan to their guest's end, and those of @holders, of ViommuHolder, which run beside them
 *  (NULL: not asked for).  @with_own: also those that it has.  Owned; its contents are borrowed,
 *  from both. */
GArray *viommu_admission_claims(const ViommuAdmission *admission, const GPtrArray *holders, const char *uuid,
                                bool with_own);
/** Checks that @machine, which runs, may lock what @plan wants it to lock.  Fails: BUSY,
 *  POLICY_REFUSED. */
bool viommu_admission_check_locked(const ViommuAdmission *admission, const ViommuMachine *machine,
                                   const ViommuPlan *plan, GError **error);
/** Puts the launch of @machine, its job, into the queue. */
void viommu_admission_enter(ViommuAdmission *admission, const ViommuRequest *request, ViommuMachine *machine);
/** The machine to launch now; NULL: none waits, or as many launches run as may, in all or of each
 *  user that waits. */
ViommuMachine *viommu_admission_next(ViommuAdmission *admission);
/** The launch of @machine, still its job, has ended or leaves the queue. */
void viommu_admission_leave(ViommuAdmission *admission, ViommuMachine *machine);
/** A launch of user @uid hangs after it was given up: until it comes back, it counts against the
 *  launches of this user, but not against those of all users. */
void viommu_admission_hang(ViommuAdmission *admission, uint32_t uid);
void viommu_admission_unhang(ViommuAdmission *admission, uint32_t uid);
