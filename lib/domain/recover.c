/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recover: decides from what was intended and what exists. */
#include "lib/domain/recover.h"

VIOMMU_ENUM_DEFINE(recovery, "recovery", VIOMMU_RECOVERY_LAST, "adopt", "undo", "report");

ViommuRecovery viommu_recover_decide(const ViommuMetadata *metadata, bool active, bool paused,
                                     ViommuState *ret_state)
{
    if (!metadata)
        return VIOMMU_RECOVERY_REPORT;
    switch (metadata->phase) {
    case VIOMMU_STATE_DEFINING:
    case VIOMMU_STATE_STARTING:
        /* libvirt has started the guest, perhaps after viommud died: then the launch succeeded.  A
         * paused guest hangs in its start, or viommud died before it resumed the guest. */
        if (!active || paused)
            return VIOMMU_RECOVERY_UNDO;
        *ret_state = VIOMMU_STATE_RUNNING;
        return VIOMMU_RECOVERY_ADOPT;
    case VIOMMU_STATE_RUNNING:
    case VIOMMU_STATE_STOPPED:
        *ret_state = active ? VIOMMU_STATE_RUNNING : VIOMMU_STATE_STOPPED;
        return VIOMMU_RECOVERY_ADOPT;
    case VIOMMU_STATE_PLANNING:
    case VIOMMU_STATE_STOPPING:
    case VIOMMU_STATE_FAILED:
    case VIOMMU_STATE_LAST:
        break;
    }
    return VIOMMU_RECOVERY_UNDO;
}
