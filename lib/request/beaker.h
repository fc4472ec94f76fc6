/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* beaker: the hostRequires of a Beaker job, as conditions of tmt.
 * Source: Common/bkr/common/schema/beaker-job.rng of Beaker, and tmt/steps/provision/mrack.py of
 * tmt 1.78.0 for the key VIRT_IOMMU.
 * A guest is meant to be the system that is required.  Pure. */
#pragma once

#include <glib.h>

/** The alternatives of the one hostRequires in @xml (a job, a recipe set, a recipe, or the element
 *  alone), as of viommu_tmt_read(); first those with the fewest conditions that are not judged.
 *  Without one, there are no conditions.
 *  @ret_unknown: the elements that are not judged, "labcontroller, key_value MODULE"; NULL: none;
 *  owned.
 *  Fails: INVALID_REQUEST. */
GPtrArray *viommu_beaker_read(const char *xml, char **ret_unknown, GError **error);
