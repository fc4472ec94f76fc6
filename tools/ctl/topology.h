/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology: the host's hardware for people, and its inventory for programs.  Knows no verb. */
#pragma once

#include "lib/host/host.h"
#include "lib/policy/policy.h"
#include "tools/client/output.h"

/** Prints whether the host's own IOMMU is in use and why, its tables, kernel and nodes; then
 *  IOMMUs, groups and devices as a tree. */
void viommu_ctl_print_topology(const ViommuOutput *output, const ViommuHost *host, const ViommuSite *site);
/** Prints the inventory as lines that a shell can source, or as JSON: of the hardware if it is
 *  known, and with traits if @host has a libvirt. */
void viommu_ctl_print_inventory(const ViommuOutput *output, const ViommuHost *host,
                                const ViommuPolicy *policy);
