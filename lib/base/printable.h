/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* printable: makes the output of a guest or of another program safe to print in a message.  Knows
 * control characters, not consoles. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define VIOMMU_CONSOLE_TAIL_LINES 10
#define VIOMMU_CONSOLE_TAIL_BYTES 1024

/** The last lines of @data that are not blank, within the bounds above: valid UTF-8 with a newline
 *  between two lines, without terminal sequences; other unprintable characters become '?'.  Owned,
 *  g_free(); NULL when there is none. */
char *viommu_console_text_tail(const void *data, size_t size);
/** @data with its lines kept, for a terminal: cleaned as above, but whole.  @data may be one piece
 *  of many.  Owned, g_free(). */
char *viommu_console_text_clean_bytes(const void *data, size_t size);
/** @text with its lines kept: valid UTF-8, without terminal sequences; other unprintable
 *  characters become '?'.  Owned, g_free(). */
char *viommu_console_text_clean(const char *text);
/** Whether the character at @at, in valid UTF-8, is a control character: below U+0020, U+007F, or
 *  U+0080 to U+009F, of which a terminal takes U+009B for the start of a sequence. */
bool viommu_printable_is_control(const char *at);
