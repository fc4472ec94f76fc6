/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology-internal: the readers of topology, one for each kind of thing.  Only for topology*.c,
 * their test and their fuzzer. */
#pragma once

#include "lib/host/sysroot.h"
#include "lib/host/topology.h"

/** An array that viommu_topology_fields can clear: of entries made with viommu_topology_add(). */
void *viommu_topology_add(GPtrArray **list, const ViommuFields *table);

extern const ViommuFields viommu_topology_table_fields, viommu_topology_iommu_fields,
    viommu_topology_device_fields, viommu_topology_node_fields, viommu_topology_huge_pages_fields;

void viommu_topology_read_tables(const ViommuRoot *root, ViommuTopology *topology);
void viommu_topology_read_iommus(const ViommuRoot *root, ViommuTopology *topology);
void viommu_topology_read_devices(const ViommuRoot *root, ViommuTopology *topology);
/** Of the devices that were read. */
void viommu_topology_read_uses(const ViommuRoot *root, ViommuTopology *topology);
/** From the size of a transparent huge page: the kernel says the ordinary one in no file. */
void viommu_topology_read_page_size(const ViommuRoot *root, ViommuTopology *topology);
/** VFIO, iommufd and their modules. */
void viommu_topology_read_modules(const ViommuRoot *root, ViommuTopology *topology);
void viommu_topology_read_nodes(const ViommuRoot *root, ViommuTopology *topology);

/** Checks a whole ACPI table that should be @name: header, length, checksum, every structure
 *  inside its bounds.  The number of IOMMUs in it with a possible address; 0 and *ret_problem
 *  (owned): why it is worth nothing. */
uint64_t viommu_acpi_count_units(const char *name, const uint8_t *data, size_t size, char **ret_problem);
/** The four names, ended by NULL. */
extern const char *const viommu_acpi_names[];

/** Bits that a VT-d unit with this capability register translates; VIOMMU_UNSET_NUMBER when it
 *  makes no sense. */
uint64_t viommu_iommu_width_intel(uint64_t cap);
/** The same of AMD-Vi's "features" file: EFR, or EFR and EFR2 in either order. */
uint64_t viommu_iommu_width_amd(const char *features);
