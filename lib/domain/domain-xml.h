/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-xml: plan to domain XML, one function per element in document order.  Decides nothing. */
#pragma once

#include "lib/domain/metadata.h"
#include "lib/plan/plan.h"

/** Without @metadata (NULL: a dry run) there is no <metadata>.  The same plan gives the same bytes.
 *  Owned, g_free(). */
char *viommu_domain_xml(const ViommuPlan *plan, const ViommuMetadata *metadata);
/** The only disk, network or assigned device of @plan, as virDomainAttachDevice() wants it, with
 *  this alias, at this bus of the guest; 0: libvirt chooses a place.  Owned, g_free(). */
char *viommu_domain_device_xml(const ViommuPlan *plan, const char *alias, unsigned bus);
