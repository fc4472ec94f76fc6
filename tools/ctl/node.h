/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* node: this host as a scheduler counts it.  Knows the options of the verb "host"; the words are
 * lib/fleet's. */
#pragma once

#include "daemon/process/config.h"
#include "lib/host/host.h"
#include "tools/ctl/ctl.h"

/* For whom the inventory of a host is. */
typedef enum ViommuCtlInventory {
    VIOMMU_CTL_INVENTORY_SHELL,
    VIOMMU_CTL_INVENTORY_PLACEMENT,
    VIOMMU_CTL_INVENTORY_KUBERNETES,
    VIOMMU_CTL_INVENTORY_NOMAD,
    VIOMMU_CTL_INVENTORY_LAST,
} ViommuCtlInventory;
extern const ViommuEnum viommu_enum_inventory;

/** Whether --format names a scheduler. */
bool viommu_ctl_counts(const ViommuCtl *ctl);
/** Prints @host as --slurm or --format wants it.  Sets the limits in force of @config.  @site NULL:
 *  whatever the host does not use is counted.  Fails: NOT_SUPPORTED, if nothing is known of
 *  libvirt. */
bool viommu_ctl_print_node(const ViommuCtl *ctl, ViommuConfig *config, const ViommuSite *site,
                           const ViommuHost *host, GError **error);
