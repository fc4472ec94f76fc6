/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-printable: the output of a guest, made fit for an error message. */
#include "tests/unit/unit.h"

#include <string.h>
#include "lib/base/printable.h"

static const struct {
    const char *text, *tail; /* NULL: none */
} cases[] = {
    {"", NULL},
    {" \r\n\t\n\x1b[0m\n", NULL},
    {"one", "one"},
    {"one\r\ntwo  \r\n\r\n", "one\ntwo"},
    {"a\tb", "a b"},
    /* Terminal sequences: colours, a title, a character set, truncated ones. */
    {"\x1b[1;31mred\x1b[0m alert", "red alert"},
    {"\x1b]0;title\x07text", "text"},
    {"\x1b]0;title\x1b\\text", "text"},
    {"\x1b(Btext", "Btext"},
    {"text\x1b[12", "text"},
    {"text\x1b]0;title", "text"},
    {"text\x1b", "text"},
    {"\x1b]0;title\nnext", "next"},
    /* Characters that act on a terminal, or reorder text. */
    {"bell\x07 back\x08 del\x7f c1\xc2\x9b bidi\xe2\x80\xae", "bell? back? del? c1? bidi?"},
    /* Not UTF-8, cut inside a character, and UTF-8. */
    {"\x82\xac rest \xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd rest \xef\xbf\xbd\xef\xbf\xbd"},
    {"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"},
};

START_TEST(made_fit)
{
    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *tail = viommu_console_text_tail(cases[i].text, strlen(cases[i].text));

        ck_assert_msg(g_strcmp0(tail, cases[i].tail) == 0, "%zu: '%s' is not '%s'", i, tail, cases[i].tail);
    }
}
END_TEST

/* Wherever the text is cut, no piece contains ESC or C1, as a byte or in UTF-8. */
START_TEST(in_pieces)
{
    static const char text[] = "\x1b]0;title\x07 \xc2\x9b"
                               "31m\x9b"
                               "2J \x1b[1m\r\n\0 \xe2\x80\xae \x7f\xc2\x80";

    for (size_t cut = 0; cut <= sizeof(text); cut++) {
        g_autofree char *first = viommu_console_text_clean_bytes(text, cut);
        g_autofree char *rest = viommu_console_text_clean_bytes(text + cut, sizeof(text) - cut);
        g_autofree char *both = g_strconcat(first, rest, NULL);

        ck_assert(g_utf8_validate(both, -1, NULL));
        for (const char *at = both; *at; at = g_utf8_next_char(at))
            ck_assert_msg(*at == '\n' || g_unichar_isprint(g_utf8_get_char(at)), "cut at %zu: %s", cut, both);
    }
}
END_TEST

START_TEST(the_last_lines)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *tail = NULL;

    for (unsigned i = 1; i <= 100; i++)
        g_string_append_printf(text, "line %u\r\n\r\n", i);
    tail = viommu_console_text_tail(text->str, text->len);
    ck_assert_str_eq(
        tail, "line 91\nline 92\nline 93\nline 94\nline 95\nline 96\nline 97\nline 98\nline 99\nline 100");
}
END_TEST

START_TEST(bounded_at_a_character)
{
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *tail = NULL;

    for (unsigned i = 0; i < 2000; i++)
        g_string_append(text, "\xe2\x82\xac");
    tail = viommu_console_text_tail(text->str, text->len);
    ck_assert(g_utf8_validate(tail, -1, NULL));
    ck_assert_uint_le(strlen(tail), VIOMMU_CONSOLE_TAIL_BYTES);
    ck_assert_uint_gt(strlen(tail), VIOMMU_CONSOLE_TAIL_BYTES - 3);
}
END_TEST

/* Any bytes, NUL too, become legible UTF-8. */
START_TEST(any_bytes)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(1);
    guint8 bytes[4096];

    for (unsigned n = 0; n < 300; n++) {
        g_autofree char *tail = NULL;

        for (size_t i = 0; i < sizeof(bytes); i++)
            bytes[i] = (guint8)g_rand_int_range(random, 0, n % 2 ? 256 : 64);
        tail = viommu_console_text_tail(bytes, sizeof(bytes));
        ck_assert(!tail || g_utf8_validate(tail, -1, NULL));
        for (const char *at = tail; at && *at; at = g_utf8_next_char(at))
            ck_assert(*at == '\n' || g_unichar_isprint(g_utf8_get_char(at)));
    }
}
END_TEST

UNIT_MAIN("console-text", in_pieces, made_fit, the_last_lines, bounded_at_a_character, any_bytes)
