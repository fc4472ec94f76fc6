/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recheck: what was judged of devices and networks when a machine was planned, judged once more
 * right before it starts: mounts, drivers and networks come and go. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/jobs/permit.h"
#include "lib/plan/placement.h"

/* All borrowed. */
typedef struct ViommuRecheck {
    ViommuBackend *backend;
    const ViommuSite *site;
    const ViommuRequest *request;
    const ViommuPlacement *placement; /* as it was planned */
} ViommuRecheck;

/** Blocks.  @permit is learnt anew.  Fails: POLICY_REFUSED; NOT_SUPPORTED, when a device has gone;
 *  as libvirt does. */
bool viommu_recheck_run(const ViommuRecheck *recheck, ViommuPermit *permit, GError **error);
