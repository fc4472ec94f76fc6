/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* membership: tells whether a user is in the group now, by the system's user database.  That
 * database may be remote and slow, so a worker asks it, and a caller waits a few seconds at most.
 * Knows no calls. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"

typedef enum ViommuMember {
    VIOMMU_MEMBER_NO,
    VIOMMU_MEMBER_YES,
    VIOMMU_MEMBER_UNKNOWN, /* the database has not answered in time */
    VIOMMU_MEMBER_LAST,
} ViommuMember;

#define VIOMMU_MEMBERSHIP_TIMEOUT_SEC 5u

typedef struct ViommuMembership ViommuMembership;
/** Called on the loop. */
typedef void (*ViommuMembershipFunc)(ViommuMember answer, void *userdata);

/** @loop and @worker are borrowed; the worker's threads may hang.  @group is copied. Owned. */
ViommuMembership *viommu_membership_new(ViommuLoop *loop, ViommuWorker *worker, const char *group);
/** Remaining waiters are not answered. */
void viommu_membership_free(ViommuMembership *membership);
/** The result that is known without a look-up: a yes for a tenth of a second, in which many calls
 *  may come, a no for a second, and "unknown" while the database does not answer.  False: not
 *  known; ask. */
bool viommu_membership_recall(ViommuMembership *membership, uint32_t uid, ViommuMember *ret_answer);
/** Starts a look-up, or joins one; call it when nothing is known.  @func is called once, and not
 *  before this has returned. */
void viommu_membership_ask(ViommuMembership *membership, uint32_t uid, ViommuMembershipFunc func,
                           void *userdata);
