/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* numa: the guest's NUMA cells, which follow the host's nodes that its devices are on.  Does not
 * know libvirt, QEMU, XML. */
#pragma once

#include "lib/plan/pcie.h"

typedef struct ViommuNumaCell {
    uint64_t host_node; /* whose memory it prefers */
    uint64_t first_vcpu, vcpus;
    uint64_t memory_bytes;
} ViommuNumaCell;

typedef struct ViommuNumaInput {
    const ViommuPlacement *placement;
    uint64_t vcpus;
    uint64_t memory_bytes;
    uint64_t page_size_bytes; /* 0: ordinary pages */
} ViommuNumaInput;

/** Divides vCPUs and memory into a cell for each node that the devices on the expander buses of
 *  @pcie are on, and says of each bus which cell it is near to.  No cells, an empty array, when it
 *  is one node, or one that is not known, or when there is too little to divide: *ret_lost (owned)
 *  says so then, in words; else it is NULL.
 *  @return owned, of ViommuNumaCell in the order of the nodes. */
GArray *viommu_numa_divide(const ViommuNumaInput *input, ViommuPcie *pcie, char **ret_lost);
