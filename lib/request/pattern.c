/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/pattern.h"

#include <string.h>

#include "lib/base/error.h"

/* Short names need no longer pattern. */
#define PATTERN_MAX 128
/* Any user may send an expression, and it is matched on the loop: with PCRE's own limits that could
 * take seconds. */
#define LIMITS "(*LIMIT_MATCH=20000)(*LIMIT_RECURSION=1000)"

GRegex *viommu_pattern_compile(const char *key, const char *pattern, bool whole, GError **error)
{
    g_autoptr(GRegex) alone = NULL, regex = NULL;
    g_autoptr(GError) local = NULL;
    g_autofree char *text = g_strconcat(LIMITS "^(?:", pattern, whole ? ")$" : ")", NULL);

    /* Compiled alone first, so that a parenthesis in it cannot close one of the wrapper's. */
    if (strlen(pattern) <= PATTERN_MAX)
        alone = g_regex_new(pattern, 0, 0, &local);
    if (alone)
        regex = g_regex_new(text, G_REGEX_DOLLAR_ENDONLY, 0, NULL);
    if (alone && !regex)
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "%s '%s' is not a complete regular expression: end its comment or its \\Q, and do not begin it with (*...)",
            key, pattern);
    else if (!regex)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "%s '%.*s' is neither a name nor a regular expression: %s", key, PATTERN_MAX, pattern,
                    local ? local->message : "it is too long");
    return g_steal_pointer(&regex);
}

bool viommu_pattern_try(const GRegex *regex, const char *key, const char *name, bool *ret_matches,
                        GError **error)
{
    g_autoptr(GError) local = NULL;

    *ret_matches = g_regex_match_full(regex, name, -1, 0, 0, NULL, &local);
    return !local ||
           viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "%s has a regular expression that takes too long to match; use a simpler one", key);
}
