/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inventory: a node in the words of other schedulers: OpenStack Placement, labels of Kubernetes,
 * metadata of Nomad.  Talks to none of them. */
#pragma once

#include "lib/fleet/node.h"

#define VIOMMU_FLEET_KUBERNETES_PREFIX "viommu.org/"
#define VIOMMU_FLEET_NOMAD_PREFIX      "viommu_"

/** Floating a{ss}: names begin with @prefix.  A feature is "true"; a resource has its count. */
GVariant *viommu_fleet_labels(const ViommuFleetNode *node, const char *prefix);
/** Floating a{sv}: "traits" and "inventories", with the keys of Placement's API.  All devices are
 *  inventories of the host itself: viommud chooses them. */
GVariant *viommu_fleet_placement(const ViommuFleetNode *node, const ViommuHost *host,
                                 const ViommuPolicy *policy);
