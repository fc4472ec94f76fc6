/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* printable: decodes the bytes to lines, and cuts the last ones.  Does not know their source. */
#include "lib/base/printable.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define ESCAPE '\x1b'
#define BELL   '\x07'

/* The end of the control sequence of a terminal whose introducer is at @at; a truncated sequence
 * ends at the end of the text. */
static const char *skip_escape(const char *at)
{
    at++;
    if (*at == '[') {
        /* Parameters, then one final character. */
        for (at++; *at >= ' ' && *at < '@';)
            at++;
        return *at >= '@' && *at <= '~' ? at + 1 : at;
    }
    if (*at == ']' || *at == 'P') {
        /* A string, such as a window's title. */
        while (*at && *at != BELL && *at != ESCAPE && *at != '\n')
            at++;
        if (*at == ESCAPE && at[1] == '\\')
            return at + 2;
        return *at == BELL ? at + 1 : at;
    }
    return *at && *at != '\n' ? g_utf8_next_char(at) : at;
}

static void append_printable(GString *text, const char *at)
{
    gunichar character = g_utf8_get_char(at);

    if (*at == '\n')
        g_string_append_c(text, '\n');
    else if (*at == '\t')
        g_string_append_c(text, ' ');
    else if (*at != '\r')
        g_string_append_unichar(text, g_unichar_isprint(character) ? character : '?');
}

char *viommu_console_text_clean_bytes(const void *data, size_t size)
{
    g_autofree char *valid = g_utf8_make_valid(data, (gssize)size);
    GString *text = g_string_new(NULL);

    for (const char *at = valid; *at;) {
        if (*at == ESCAPE) {
            at = skip_escape(at);
            continue;
        }
        append_printable(text, at);
        at = g_utf8_next_char(at);
    }
    return g_string_free(text, FALSE);
}

/* The end of @text, within the bytes of a tail. */
static const char *end_of(const char *text)
{
    size_t size = strlen(text);
    const char *at = text + (size > VIOMMU_CONSOLE_TAIL_BYTES ? size - VIOMMU_CONSOLE_TAIL_BYTES : 0);

    /* Do not begin in the middle of a character. */
    while ((*at & 0xc0) == 0x80)
        at++;
    return at;
}

char *viommu_console_text_clean(const char *text)
{
    return viommu_console_text_clean_bytes(text, strlen(text));
}

char *viommu_console_text_tail(const void *data, size_t size)
{
    g_autofree char *text = viommu_console_text_clean_bytes(data, size), *joined = NULL;
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    g_autoptr(GPtrArray) kept = g_ptr_array_new();

    for (unsigned i = 0; lines[i]; i++)
        if (*g_strchomp(lines[i]))
            g_ptr_array_add(kept, lines[i]);
    if (kept->len == 0)
        return NULL;
    g_ptr_array_add(kept, NULL);
    joined = g_strjoinv("\n", (char **)kept->pdata + MAX(0, (int)kept->len - 1 - VIOMMU_CONSOLE_TAIL_LINES));
    return g_strdup(end_of(joined));
}

bool viommu_printable_is_control(const char *at)
{
    const unsigned char *byte = (const unsigned char *)at;

    return byte[0] < 0x20 || byte[0] == 0x7f || (byte[0] == 0xc2 && byte[1] < 0xa0);
}

size_t viommu_printable_control_at(const char *text)
{
    size_t i = 0;

    while (text[i] && !viommu_printable_is_control(text + i))
        i++;
    return i;
}

bool viommu_printable_has_noncharacters(const char *text)
{
    return strstr(text, "\xef\xbf\xbe") || strstr(text, "\xef\xbf\xbf");
}
