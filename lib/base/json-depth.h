/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-depth: limits the nesting of a JSON text before a recursive parser reads it.  Checks no
 * grammar. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Whether brackets in @text, outside strings, are nested at most @depth levels deep. */
bool viommu_nesting_is_within(const char *text, size_t size, unsigned depth);
