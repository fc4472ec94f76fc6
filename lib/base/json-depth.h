/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json-depth: how deep a JSON text goes, told before a parser that calls itself for each level sees it.  Checks no grammar. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Whether no bracket of @text, outside of its strings, is inside of more than @depth others. */
bool viommu_nesting_is_within(const char *text, size_t size, unsigned depth);
