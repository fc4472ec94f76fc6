/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-internal: the readers of the parts of a topology.  Only for topology*.c, their test and
 * their fuzzer. */
#pragma once

#include "lib/host/sysroot.h"
#include "lib/host/topology.h"

/** An array that viommu_topology_fields can clear; its entries are made with
 *  viommu_topology_add(). */
void *viommu_topology_add(GPtrArray **list, const ViommuFields *table);

extern const ViommuFields viommu_topology_table_fields, viommu_topology_iommu_fields,
    viommu_topology_device_fields, viommu_topology_node_fields, viommu_topology_huge_pages_fields;

void viommu_topology_read_tables(const ViommuRoot *root, ViommuTopology *topology);
void viommu_topology_read_iommus(const ViommuRoot *root, ViommuTopology *topology);
void viommu_topology_read_devices(const ViommuRoot *root, ViommuTopology *topology);
/** Of the devices that were read before. */
void viommu_topology_read_uses(const ViommuRoot *root, ViommuTopology *topology);
/** Derived from the size of a transparent huge page, because no file shows the ordinary one. */
void viommu_topology_read_page_size(const ViommuRoot *root, ViommuTopology *topology);
/** VFIO, iommufd, vhost-vsock and their modules. */
void viommu_topology_read_modules(const ViommuRoot *root, ViommuTopology *topology);
void viommu_topology_read_nodes(const ViommuRoot *root, ViommuTopology *topology);

/** Checks a whole ACPI table, expected to be @name: header, length, checksum, all structures within
 *  its bounds.  Returns the number of IOMMUs in it with a possible address; 0 and *ret_problem
 *  (owned) when the table is unusable. */
uint64_t viommu_acpi_count_units(const char *name, const uint8_t *data, size_t size, char **ret_problem);
/** The four names, which NULL ends. */
extern const char *const viommu_acpi_names[];

/** The bits that a VT-d unit with this capability register translates; VIOMMU_UNSET_NUMBER when it
 *  is invalid. */
uint64_t viommu_iommu_width_intel(uint64_t cap);
/** The same for AMD-Vi's file "features": EFR, or EFR and EFR2 in either order. */
uint64_t viommu_iommu_width_amd(const char *features);
