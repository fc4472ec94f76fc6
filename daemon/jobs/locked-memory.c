/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* locked-memory: reads the limits of a process. */
#include "daemon/jobs/locked-memory.h"

#include "lib/plan/memory.h"
#include "lib/host/proc-limits.h"

char *viommu_locked_look(ViommuBackend *backend, const ViommuPlan *plan, const char *uuid)
{
    bool look = plan->memlock_bytes > 0 && viommu_backend_is_local(backend);
    uint64_t pid = look ? viommu_process_find_guest("/", uuid) : 0;

    return pid ? viommu_memory_compare_limit(plan, viommu_process_locked_limit("/", pid)) : NULL;
}
