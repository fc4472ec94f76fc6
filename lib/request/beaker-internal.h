/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beaker-internal: the hostRequires of a Beaker job, for its readers.  Only for lib/request. */
#pragma once

#include <stdbool.h>

#include "lib/base/xml-read.h"

#define VIOMMU_BEAKER_DEPTH_MAX 32u

/** The document with a job, a recipe set, a recipe, or the element alone; owned, xmlFreeDoc().
 *  *ret_requires: its one hostRequires, borrowed of it; NULL: there is none.
 *  Fails: INVALID_REQUEST. */
xmlDoc *viommu_beaker_parse(const char *xml, const xmlNode **ret_requires, GError **error);

/** "cpu/processors", with @above "cpu"; or "key_value VIRT_IOMMU".  Owned. */
char *viommu_beaker_element_name(const xmlNode *node, const char *above);

/** Whether the children of the element together are one with conditions: 1: all of them must hold;
 *  0: one of them; -1: it is a condition itself.  *negated: whether its opposite is asked for; is
 *  changed by "not". */
int viommu_beaker_group(const char *name, const char *above, bool *negated);
