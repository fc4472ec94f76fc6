/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover: what to do with a domain that viommud finds at its start, from metadata and the domain's
 * state.  Pure. */
#pragma once

#include "lib/base/enum.h"
#include "lib/domain/metadata.h"

typedef enum ViommuRecovery {
    VIOMMU_RECOVERY_ADOPT, /* it runs, or ended by itself: keep it as it is */
    VIOMMU_RECOVERY_UNDO,  /* a launch or a stop was interrupted: remove it */
    /* the metadata is in our namespace, but even its core cannot be read: leave the domain alone
     * and report it */
    VIOMMU_RECOVERY_REPORT,
    VIOMMU_RECOVERY_LAST,
} ViommuRecovery;
extern const ViommuEnum viommu_enum_recovery;

/** @metadata: NULL when it cannot be read.  @active: QEMU runs; @paused: QEMU runs, but the guest
 *  is paused.  @ret_state: the state in which to adopt the machine; untouched unless ADOPT. */
ViommuRecovery viommu_recover_decide(const ViommuMetadata *metadata, bool active, bool paused,
                                     ViommuState *ret_state);
