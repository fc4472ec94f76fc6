/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* numa: the guest's NUMA cells, which follow the host's nodes of its devices.  Does not know
 * libvirt, QEMU, XML. */
#pragma once

#include "lib/plan/pcie.h"

typedef struct ViommuNumaCell {
    uint64_t host_node; /* the guest prefers this node's memory */
    uint64_t first_vcpu, vcpus;
    uint64_t memory_bytes;
} ViommuNumaCell;

typedef struct ViommuNumaInput {
    const ViommuPlacement *placement;
    uint64_t vcpus;
    uint64_t memory_bytes;
    uint64_t page_size_bytes; /* 0: ordinary pages */
} ViommuNumaInput;

/** Divides vCPUs and memory into a cell for each node that has devices on the expander buses of
 *  @pcie, and sets the cell of each bus.  No cells (an empty array) for a single node, an unknown
 *  node, or too little to divide; *ret_lost (owned) then says what is lost, otherwise it is NULL.
 *  @return owned, of ViommuNumaCell in the order of the nodes. */
GArray *viommu_numa_divide(const ViommuNumaInput *input, ViommuPcie *pcie, char **ret_lost);
