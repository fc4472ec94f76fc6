/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* lease-boot: which boot of the host a lease belongs to, as metadata tell it.  Knows no clock. */
#pragma once

#include <stdbool.h>
#include "lib/domain/metadata.h"

/** False: @boot is NULL, or all zeros. */
bool viommu_lease_boot_is_known(const char *boot);
/** Writes the lease into @metadata.  @boot: the host's present boot.  @service: it is the system's
 *  viommud that writes this: that of 0.1.0 cannot see the boot's id, reads zeros, and would end a
 *  lease with any other id. */
void viommu_lease_boot_write(ViommuMetadata *metadata, uint64_t end_usec, const char *boot, bool service);
/** Whether the lease of @metadata may belong to @boot: only one of another boot that is known does
 *  not. */
bool viommu_lease_boot_is(const ViommuMetadata *metadata, const char *boot);
