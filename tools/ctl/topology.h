/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* topology: the host's hardware for people, and its inventory for programs.  Knows no verb. */
#pragma once

#include "lib/host/host.h"
#include "lib/policy/policy.h"
#include "tools/client/output.h"

/** The host's own IOMMU and why or why not, tables and kernel, nodes; then IOMMUs, groups and devices as a tree. */
void viommu_ctl_print_topology(const ViommuOutput *output, const ViommuTopology *topology,
                               const ViommuSite *site);
/** VIRT_IOMMU and what belongs to it as lines that a shell can source, or as JSON; with traits where @host has a libvirt. */
void viommu_ctl_print_inventory(const ViommuOutput *output, const ViommuHost *host,
                                const ViommuPolicy *policy);
