/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-scan: refuses what json-glib would accept or change silently.  Checks tokens; json-glib
 * checks the grammar. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Far more than any request or recorded host needs. */
#define VIOMMU_JSON_BYTES_MAX (1024u * 1024u)
#define VIOMMU_JSON_DEPTH_MAX 32u

/** Whether @text is one JSON text in UTF-8: no comments, no quotes other than ", no number that
 *  does not fit 64 bits with a sign (json-glib wraps it around), no key twice in one object
 *  (json-glib keeps the last), nothing nested deeper than VIOMMU_JSON_DEPTH_MAX, nothing after the
 *  end (json-glib takes the last text), no \u0000 and no half of a surrogate pair.  Fails:
 *  INVALID_REQUEST, "line N: ...". */
bool viommu_json_scan(const char *text, gsize length, GError **error);
