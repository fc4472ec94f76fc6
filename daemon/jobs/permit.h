/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* permit: the user, and what viommud must learn to judge the request: which of the site's names the
 * user may use, and where the named networks lead.  Knows the user database and the backend; judges
 * nothing. */
#pragma once

#include <glib.h>
#include "daemon/libvirt/backend.h"
#include "lib/policy/asker.h"
#include "lib/request/request.h"
#include "lib/host/site.h"

typedef struct ViommuPermit {
    ViommuAsker asker;
    char **forward_modes; /* see ViommuPlanInput; NULL: not needed */
} ViommuPermit;

/** @asker is copied. */
void viommu_permit_init(ViommuPermit *permit, const ViommuAsker *asker);
/** Whether anything must be learnt for @request. */
bool viommu_permit_is_needed(const ViommuPermit *permit, const ViommuRequest *request);
/** Learns it, and what was learnt before again; blocks like the user database and libvirt.  Fails
 *  like libvirt. */
bool viommu_permit_learn(ViommuPermit *permit, ViommuBackend *backend, const ViommuSite *site,
                         const ViommuRequest *request, GError **error);
void viommu_permit_clear(ViommuPermit *permit);
