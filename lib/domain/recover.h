/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover: at start-up, what to do with a domain found in libvirt: (metadata, domain state) -> a decision. Pure. */
#pragma once

#include "lib/base/enum.h"
#include "lib/domain/metadata.h"

typedef enum ViommuRecovery {
    VIOMMU_RECOVERY_ADOPT, /* it runs, or ended by itself: take it over as it is */
    VIOMMU_RECOVERY_UNDO,  /* a launch or a stop was cut short: remove it */
    VIOMMU_RECOVERY_REPORT, /* ours by name space, but not even the core of its metadata can be read: leave it alone and say so */
    VIOMMU_RECOVERY_LAST,
} ViommuRecovery;
extern const ViommuEnum viommu_enum_recovery;

/** @metadata NULL: it could not be read.  @active: there is a QEMU; @paused: whose guest does not run.  @ret_state: the state to adopt it in;
 *  untouched unless ADOPT. */
ViommuRecovery viommu_recover_decide(const ViommuMetadata *metadata, bool active, bool paused,
                                     ViommuState *ret_state);
