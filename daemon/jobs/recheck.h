/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* recheck: judges devices and networks once more right before a machine starts, because mounts,
 * drivers and networks may have changed since its plan. */
#pragma once

#include "daemon/libvirt/backend.h"
#include "daemon/jobs/permit.h"
#include "lib/plan/placement.h"

/* All borrowed. */
typedef struct ViommuRecheck {
    ViommuBackend *backend;
    const ViommuSite *site;
    const ViommuRequest *request;
    const ViommuPlacement *placement; /* as planned */
} ViommuRecheck;

/** Blocks.  Learns @permit again.  Fails: POLICY_REFUSED; NOT_SUPPORTED when a device is gone; like
 *  libvirt. */
bool viommu_recheck_run(const ViommuRecheck *recheck, ViommuPermit *permit, GError **error);
