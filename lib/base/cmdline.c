/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/base/cmdline.h"

#include <glib.h>
#include <string.h>

static const char *word_end(const char *at)
{
    bool quoted = false;

    for (; *at && (quoted || !g_ascii_isspace(*at)); at++)
        quoted ^= *at == '"';
    return at;
}

static bool same_name(const char *a, const char *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (a[i] != b[i] && !(strchr("-_", a[i]) && strchr("-_", b[i])))
            return false;
    return true;
}

/* The place of @value among the values between @at and @end, which commas separate; NULL: it is not
 * there. */
static const char *value_among(const char *at, const char *end, const char *value)
{
    const char *found = NULL;

    while (at < end) {
        size_t length = strcspn(at, ",\"");

        length = MIN(length, (size_t)(end - at));
        if (length == strlen(value) && memcmp(at, value, length) == 0)
            found = at;
        at += length + 1;
    }
    return found;
}

/* From *@at on: the next word, without the quotes around it, which the kernel drops.  NULL: there
 * is none; else *ret_length is its length, and *@at is behind it. */
static const char *next_word(const char **at, size_t *ret_length)
{
    const char *word = *at + strspn(*at, " \t\n\v\f\r"), *end = word_end(word);

    *at = end;
    if (word == end)
        return NULL;
    word += *word == '"';
    end -= end > word && end[-1] == '"';
    *ret_length = (size_t)(end - word);
    return word;
}

size_t viommu_cmdline_at(const char *cmdline, const char *word)
{
    size_t name = strcspn(word, "="), found = 0, length;
    const char *next = cmdline;

    for (const char *at; next && (at = next_word(&next, &length));) {
        const char *place = NULL;

        if (length == 2 && memcmp(at, "--", 2) == 0)
            break;
        if (length >= name && same_name(at, word, name)) {
            if (!word[name])
                place = length == name ? at : NULL;
            else if (at[name] == '=' && !word[name + 1])
                place = at;
            else if (at[name] == '=')
                place = value_among(at + name + 1, at + length, word + name + 1);
        }
        if (place)
            found = (size_t)(place - cmdline) + 1;
    }
    return found;
}

const char *viommu_cmdline_init(const char *cmdline)
{
    const char *next = cmdline;
    size_t length;

    for (const char *at; (at = next_word(&next, &length));)
        if (length == 2 && memcmp(at, "--", 2) == 0)
            return at;
    return NULL;
}

bool viommu_cmdline_says(const char *cmdline, const char *word, const char *undone_by)
{
    size_t at = viommu_cmdline_at(cmdline, word);

    return at > 0 && (!undone_by || viommu_cmdline_at(cmdline, undone_by) < at);
}
