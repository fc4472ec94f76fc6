/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* printable: makes the output of a guest or of another program safe to print in a message.  Knows
 * control characters, not consoles. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define VIOMMU_CONSOLE_TAIL_LINES 10
#define VIOMMU_CONSOLE_TAIL_BYTES 1024

/** The last lines of @data that are not blank, within the bounds above: valid UTF-8, lines
 *  separated by a newline, without terminal sequences; other unprintable characters become '?'.
 *  Owned, g_free(); NULL when there are no such lines. */
char *viommu_console_text_tail(const void *data, size_t size);
/** All of @data for a terminal, lines kept, cleaned as above.  @data may be one of many pieces.
 *  Owned, g_free(). */
char *viommu_console_text_clean_bytes(const void *data, size_t size);
/** @text with its lines kept: valid UTF-8, without terminal sequences; other unprintable
 *  characters become '?'.  Owned, g_free(). */
char *viommu_console_text_clean(const char *text);
/** Whether the character at @at, in valid UTF-8, is a control character: below U+0020, U+007F, or
 *  U+0080 to U+009F (terminals read U+009B as the start of a sequence). */
bool viommu_printable_is_control(const char *at);
/** The place of the first control character of @text, or its length. */
size_t viommu_printable_control_at(const char *text);
/** Whether @text has U+FFFE or U+FFFF, which are valid UTF-8, but which XML does not allow. */
bool viommu_printable_has_noncharacters(const char *text);
