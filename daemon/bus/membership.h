/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* membership: says whether a user is in the group now, by the system's user database.  That
 * database may be on another host and slow, so a worker asks it, and nobody waits longer than a few
 * seconds.  Knows no calls. */
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
/** On the loop. */
typedef void (*ViommuMembershipFunc)(ViommuMember answer, void *userdata);

/** @loop and @worker are borrowed; the worker's threads may hang.  @group is copied. Owned. */
ViommuMembership *viommu_membership_new(ViommuLoop *loop, ViommuWorker *worker, const char *group);
/** Nobody who still waits is told. */
void viommu_membership_free(ViommuMembership *membership);
/** What is known without asking: a yes for a tenth of a second, which many calls may come in, a no
 *  for a second, and that the database does not answer, for as long as it does not.  False:
 *  nothing; ask. */
bool viommu_membership_recall(ViommuMembership *membership, uint32_t uid, ViommuMember *ret_answer);
/** Asks, when nothing is known; @func is called once, and not before this has returned. */
void viommu_membership_ask(ViommuMembership *membership, uint32_t uid, ViommuMembershipFunc func,
                           void *userdata);
