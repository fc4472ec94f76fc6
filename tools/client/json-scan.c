/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/json-scan.h"

#include <string.h>

#include "lib/base/error.h"

typedef struct Scanner {
    const char *at, *end;
    unsigned line;
    GPtrArray *open; /* of GHashTable: the keys of each open object; empty for an array */
    char *string;    /* the last token, when it was a string: a key if a colon follows */
    bool string_has_escape;
    char mark;  /* the last token, when it was one of {}[]:, */
    bool ended; /* the outermost bracket was closed */
} Scanner;

static bool G_GNUC_PRINTF(3, 4) refuse(const Scanner *scanner, GError **error, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "line %u: %s", scanner->line, text);
}

/* The four digits after \u; -1 if they are missing. */
static int scan_unicode_escape(const Scanner *scanner, const char *at)
{
    int value = 0;

    if (scanner->end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return -1;
    for (int i = 2; i < 6; i++) {
        int digit = g_ascii_xdigit_value(at[i]);

        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* At a backslash inside a string. */
static bool scan_escape(Scanner *scanner, GError **error)
{
    int unit;

    if (scanner->end - scanner->at < 2 || !strchr("\"\\/bfnrtu", scanner->at[1]) || !scanner->at[1])
        return refuse(scanner, error, "a backslash that does not begin a JSON escape");
    if (scanner->at[1] != 'u') {
        scanner->at += 2;
        return true;
    }
    unit = scan_unicode_escape(scanner, scanner->at);
    if (unit <= 0)
        return refuse(scanner, error,
                      unit == 0 ? "\\u0000 cannot be in a string" : "\\u without four digits");
    scanner->at += 6;
    if (unit < 0xd800 || unit > 0xdfff)
        return true;
    if (unit < 0xdc00) {
        int low = scan_unicode_escape(scanner, scanner->at);

        scanner->at += 6;
        if (low >= 0xdc00 && low <= 0xdfff)
            return true;
    }
    return refuse(scanner, error, "\\u%04x is half of a surrogate pair", (unsigned)unit);
}

static bool scan_string(Scanner *scanner, GError **error)
{
    const char *start = ++scanner->at;

    scanner->string_has_escape = false;
    while (scanner->at < scanner->end && *scanner->at != '"') {
        if ((unsigned char)*scanner->at < 0x20)
            return refuse(scanner, error,
                          "a string that does not end on its line, or contains a control character");
        if (*scanner->at != '\\') {
            scanner->at++;
            continue;
        }
        scanner->string_has_escape = true;
        if (!scan_escape(scanner, error))
            return false;
    }
    if (scanner->at >= scanner->end)
        return refuse(scanner, error, "a string that does not end");
    g_free(scanner->string);
    scanner->string = g_strndup(start, (gsize)(scanner->at - start));
    scanner->at++;
    return true;
}

static bool scan_number(Scanner *scanner, GError **error)
{
    size_t length = 0;
    g_autofree char *number = NULL;

    while (scanner->at + length < scanner->end && strchr("+-.0123456789eE", scanner->at[length]))
        length++;
    number = g_strndup(scanner->at, length);
    if (!g_regex_match_simple("^-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][+-]?[0-9]+)?$", number, 0, 0))
        return refuse(scanner, error, "'%s' is not a JSON number", number);
    if (!strpbrk(number, ".eE") && !g_ascii_string_to_signed(number, 10, G_MININT64, G_MAXINT64, NULL, NULL))
        return refuse(scanner, error, "%s does not fit 64 bits", number);
    scanner->at += length;
    return true;
}

static bool scan_word(Scanner *scanner, GError **error)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t length = 0;
    g_autofree char *word = NULL;

    while (scanner->at + length < scanner->end && g_ascii_isalnum(scanner->at[length]))
        length++;
    word = g_strndup(scanner->at, length);
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(words[i], word)) {
            scanner->at += length;
            return true;
        }
    return refuse(scanner, error, "'%.32s' needs quotes", word);
}

static bool scan_colon(Scanner *scanner, GError **error)
{
    GHashTable *keys = scanner->open->len ? g_ptr_array_index(scanner->open, scanner->open->len - 1) : NULL;

    if (!scanner->string || !keys)
        return refuse(scanner, error, "':' without a key before it");
    if (scanner->string_has_escape)
        return refuse(scanner, error, "the key \"%s\" has an escape; no known key needs one",
                      scanner->string);
    if (g_hash_table_contains(keys, scanner->string))
        return refuse(scanner, error, "the key '%s' is given twice", scanner->string);
    g_hash_table_add(keys, g_steal_pointer(&scanner->string));
    return true;
}

static bool scan_mark(Scanner *scanner, GError **error)
{
    char mark = *scanner->at;

    if (mark == ':' && !scan_colon(scanner, error))
        return false;
    if ((mark == '}' || mark == ']') && scanner->mark == ',')
        return refuse(scanner, error, "a comma before '%c'; remove it", mark);
    scanner->mark = mark;
    g_clear_pointer(&scanner->string, g_free);
    scanner->at++;
    if (mark == '{' || mark == '[') {
        if (scanner->open->len == VIOMMU_JSON_DEPTH_MAX)
            return refuse(scanner, error, "nested deeper than %u levels", VIOMMU_JSON_DEPTH_MAX);
        g_ptr_array_add(scanner->open, g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL));
    } else if (mark == '}' || mark == ']') {
        if (scanner->open->len == 0)
            return refuse(scanner, error, "'%c' closes nothing", mark);
        g_ptr_array_set_size(scanner->open, (int)scanner->open->len - 1);
        scanner->ended = scanner->open->len == 0;
    }
    return true;
}

static bool scan_token(Scanner *scanner, GError **error)
{
    char first = *scanner->at;

    if (strchr(" \t\r\n", first)) {
        scanner->line += first == '\n';
        scanner->at++;
        return true;
    }
    if (scanner->ended)
        return refuse(scanner, error, "more text follows after the end of the JSON object");
    if (strchr("{}[]:,", first))
        return scan_mark(scanner, error);
    scanner->mark = 0;
    if (first == '"')
        return scan_string(scanner, error);
    if (first == '-' || g_ascii_isdigit(first))
        return scan_number(scanner, error);
    if (g_ascii_isalpha(first))
        return scan_word(scanner, error);
    return refuse(scanner, error, "'%.*s' is not JSON%s", (int)(g_utf8_next_char(scanner->at) - scanner->at),
                  scanner->at, first == '/' || first == '#' ? ", which has no comments" : "");
}

bool viommu_json_scan(const char *text, gsize length, GError **error)
{
    Scanner scanner = {.at = text, .end = text + length, .line = 1};
    const char *bad;
    bool good = true;

    if (length > VIOMMU_JSON_BYTES_MAX)
        return refuse(&scanner, error, "more than %u bytes", VIOMMU_JSON_BYTES_MAX);
    if (!g_utf8_validate_len(text, length, &bad)) {
        for (const char *at = text; at < bad; at++)
            scanner.line += *at == '\n';
        return refuse(&scanner, error, "this is not UTF-8 text");
    }
    scanner.open = g_ptr_array_new_with_free_func((GDestroyNotify)g_hash_table_unref);
    while (good && scanner.at < scanner.end)
        good = scan_token(&scanner, error);
    if (good && !scanner.ended)
        good = refuse(&scanner, error,
                      scanner.open->len ? "the text ends inside an object or list" : "there is no object");
    g_ptr_array_unref(scanner.open);
    g_free(scanner.string);
    return good;
}
