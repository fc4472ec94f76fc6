/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pattern: regular expressions of users over short names, with bounds.  Does not know the names. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/** @key is named in messages, such as "iommu.model".
 *  @whole: names must match as a whole; else only from the start, as for tmt.
 *  Owned, g_regex_unref().
 *  Fails: INVALID_REQUEST: not a regular expression, or too long. */
GRegex *viommu_pattern_compile(const char *key, const char *pattern, bool whole, GError **error);
/** Fails: INVALID_REQUEST when PCRE gives up, because that is neither yes nor no. */
bool viommu_pattern_try(const GRegex *regex, const char *key, const char *name, bool *ret_matches,
                        GError **error);
