/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* throttle: limits the journal lines that each user can cause, so that no user hides the lines
 * about others.  Knows users and numbers; writes nothing itself. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Each user has one limit of each kind. */
typedef enum ViommuFlow {
    VIOMMU_FLOW_REFUSALS,  /* of launches */
    VIOMMU_FLOW_FAILURES,  /* of launches that libvirt was asked for */
    VIOMMU_FLOW_OUTSIDERS, /* of users outside the group, all together */
    VIOMMU_FLOW_TROUBLE,   /* what viommud could not do for a user's machine, or for itself */
    VIOMMU_FLOW_PAUSES,    /* of guests */
    VIOMMU_FLOW_REMARKS,   /* everything else */
    VIOMMU_FLOW_LAST,
} ViommuFlow;

/* For an unknown user, or for all users of a flow together. */
#define VIOMMU_THROTTLE_NOBODY UINT32_MAX

typedef struct ViommuThrottle ViommuThrottle;

/** Owned. */
ViommuThrottle *viommu_throttle_new(void);
void viommu_throttle_free(ViommuThrottle *throttle);
/** Whether another line may be written at @now_usec; *ret_left_out: how many lines were left out
 *  since the last one. */
bool viommu_throttle_take(ViommuThrottle *throttle, ViommuFlow flow, uint32_t uid, uint64_t now_usec,
                          uint64_t *ret_left_out);

typedef void (*ViommuThrottleFunc)(ViommuFlow flow, uint32_t uid, uint64_t left_out);
/** Calls @func for each count of left-out lines that may be written now.  Returns whether some
 *  remain. */
bool viommu_throttle_tell(ViommuThrottle *throttle, uint64_t now_usec, ViommuThrottleFunc func);
