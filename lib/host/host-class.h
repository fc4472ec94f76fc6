/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-class: which hosts decide alike.  A class is a digest of the facts that decide, without what
 * guests take and give back, which a scheduler counts, and without what depends on who looks. */
#pragma once

#include "lib/host/host.h"

/* Each class begins with it: the name is also a feature of a node. */
#define VIOMMU_HOST_CLASS_PREFIX "vf_"

/** The name of the class of @host: "vf_" and twelve digits.  The same for each host of the class,
 *  and for viommu_host_class_host() of it; a viommud that knows other facts has other names. Owned,
 *  g_free(). */
char *viommu_host_class(const ViommuHost *host);
/** @host as each host of its class is: memory, huge pages, drivers of devices and the like are not
 *  known, so a plan on it says what the class can, whatever is free.  Owned.  Fails:
 *  INVALID_REQUEST, if @host has what no recorded host may have. */
ViommuHost *viommu_host_class_host(const ViommuHost *host, GError **error);
