/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* readiness: whose systemd has told over vsock that it has booted.  Remembers that in a file in
 * memory that outlives viommud, so that it holds when viommud is restarted.  Knows contexts and
 * machines; does not know how guests tell. */
#pragma once

#include "daemon/machines/registry.h"
#include "daemon/manager/verifier.h"

typedef struct ViommuReadiness ViommuReadiness;

/** A file for viommu_readiness_new() that no viommud has used yet.  Owned.  -1: the kernel has
 *  none. */
int viommu_readiness_file(void);
/** @registry and @verifier are borrowed.  @file: of the viommud before, or a new one; borrowed; -1:
 *  none.  Owned. */
ViommuReadiness *viommu_readiness_new(ViommuRegistry *registry, ViommuVerifier *verifier, int file);
void viommu_readiness_free(ViommuReadiness *readiness);

/** The guest with the vsock context @cid tells that it is ready.  False: it may be a machine whose
 *  context is not known yet. */
bool viommu_readiness_told(ViommuReadiness *readiness, uint32_t cid);
/** The guest boots anew, and will tell again. */
void viommu_readiness_reset(ViommuReadiness *readiness, ViommuMachine *machine);
/** libvirt has listed its domains: who told an earlier viommud is known by its UUID. */
void viommu_readiness_listed(ViommuReadiness *readiness);
