/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-scan: refuses what json-glib would let pass or change in silence.  Checks words, not grammar: json-glib does that. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* No request or recorded host comes near these. */
#define VIOMMU_JSON_BYTES_MAX (1024u * 1024u)
#define VIOMMU_JSON_DEPTH_MAX 32u

/** @text is one JSON text in UTF-8: no comments, no other quotes than ", no number that does not fit 64 bits with a sign
 *  (json-glib wraps it around), no key twice in one object (it keeps the last), nothing nested deeper than
 *  VIOMMU_JSON_DEPTH_MAX, nothing after the end (it takes the last text), no \u0000 and no half of a surrogate pair.
 *  Fails: INVALID_REQUEST, "line N: ...". */
bool viommu_json_scan(const char *text, gsize length, GError **error);
