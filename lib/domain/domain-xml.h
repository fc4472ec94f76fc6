/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* domain-xml: plan to domain XML, one function per element in document order.  Decides nothing. */
#pragma once

#include "lib/domain/metadata.h"
#include "lib/plan/plan.h"

/** Without @metadata (NULL: a dry run) there is no <metadata>.  The same plan gives the same bytes.
 *  Owned, g_free(). */
char *viommu_domain_xml(const ViommuPlan *plan, const ViommuMetadata *metadata);
