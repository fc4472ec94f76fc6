/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/output.h"

#include <errno.h>
#include <json-glib/json-glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/base/printable.h"
#include "tools/client/error.h"

struct ViommuTable {
    const char *const *titles;
    unsigned n_columns;
    GPtrArray *rows; /* of Row */
};

typedef struct Row {
    char **cells;
    int styled;
    ViommuStyle style;
} Row;

static const char *const sequences[] = {
    [VIOMMU_STYLE_PLAIN] = "",       [VIOMMU_STYLE_HEAD] = "\033[1m",     [VIOMMU_STYLE_GOOD] = "\033[32m",
    [VIOMMU_STYLE_BAD] = "\033[31m", [VIOMMU_STYLE_WARNING] = "\033[33m",
};
G_STATIC_ASSERT(G_N_ELEMENTS(sequences) == VIOMMU_STYLE_LAST);

void viommu_output_open(ViommuOutput *output, bool json, bool no_color)
{
    const char *variable = g_getenv("NO_COLOR");
    bool wanted = !no_color && !(variable && *variable) && g_strcmp0(g_getenv("TERM"), "dumb") != 0;

    output->json = json;
    output->terminal = isatty(STDOUT_FILENO);
    output->terminal_error = isatty(STDERR_FILENO);
    output->color = wanted && output->terminal;
    output->color_error = wanted && output->terminal_error;
}

static void write_styled(FILE *stream, bool color, ViommuStyle style, const char *text)
{
    bool styled = color && style != VIOMMU_STYLE_PLAIN;

    fprintf(stream, "%s%s%s", styled ? sequences[style] : "", text, styled ? "\033[0m" : "");
}

/* Text from libvirt, QEMU or a file must not steer the terminal. */
void viommu_output_text(const ViommuOutput *output, ViommuStyle style, const char *text)
{
    g_autofree char *shown = output->terminal ? viommu_console_text_clean(text) : g_strdup(text);

    write_styled(stdout, output->color, style, shown);
}

void viommu_output_format(const ViommuOutput *output, const char *format, ...)
{
    g_autofree char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    viommu_output_text(output, VIOMMU_STYLE_PLAIN, text);
}

/* Escapes the character as \uXXXX, which JSON reads as the same, if it could steer a terminal or
 * change the order of the text behind it.  Such characters occur only in strings. */
static void append_escaped(GString *text, gunichar character)
{
    if (character < 0x7f || g_unichar_isprint(character))
        g_string_append_unichar(text, character);
    else if (character < 0x10000)
        g_string_append_printf(text, "\\u%04x", character);
    else
        g_string_append_printf(text, "\\u%04x\\u%04x", 0xd800 + ((character - 0x10000) >> 10),
                               0xdc00 + ((character - 0x10000) & 0x3ff));
}

static char *escape(const char *json)
{
    GString *text = g_string_sized_new(strlen(json));

    for (const char *at = json; *at; at = g_utf8_next_char(at))
        append_escaped(text, g_utf8_get_char(at));
    return g_string_free(text, FALSE);
}

static char *text_of(GVariant *tree, bool indented)
{
    g_autoptr(GVariant) owned = g_variant_take_ref(tree);
    JsonNode *node = json_gvariant_serialize(owned);
    g_autofree char *json = json_to_string(node, indented);

    json_node_unref(node);
    return escape(json);
}

static void print_tree(GVariant *tree, bool indented)
{
    g_autofree char *text = text_of(tree, indented);

    printf("%s\n", text);
}

char *viommu_output_json_text(GVariant *tree)
{
    return text_of(tree, false);
}

void viommu_output_json(GVariant *tree)
{
    print_tree(tree, true);
}

void viommu_output_json_line(GVariant *tree)
{
    print_tree(tree, false);
}

static void failure_as_json(const GError *error, GVariant *reasons)
{
    GVariantBuilder inner, outer;
    g_autofree char *message = g_utf8_make_valid(error->message, -1);

    g_variant_builder_init(&inner, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&inner, "{sv}", "name", g_variant_new_string(viommu_failure_word(error)));
    g_variant_builder_add(&inner, "{sv}", "message", g_variant_new_string(message));
    g_variant_builder_add(&inner, "{sv}", "reasons",
                          reasons ? reasons : g_variant_new_array(G_VARIANT_TYPE_VARDICT, NULL, 0));
    g_variant_builder_init(&outer, G_VARIANT_TYPE_VARDICT);
    g_variant_builder_add(&outer, "{sv}", "error", g_variant_builder_end(&inner));
    viommu_output_json(g_variant_builder_end(&outer));
}

void viommu_output_failure(ViommuOutput *output, const GError *error, GVariant *reasons)
{
    g_autofree char *message = viommu_console_text_clean(error->message);

    viommu_output_progress_end(output);
    if (output->json) {
        failure_as_json(error, reasons);
        return;
    }
    fflush(stdout);
    write_styled(stderr, output->color_error, VIOMMU_STYLE_BAD, "viommuctl:");
    fprintf(stderr, " %s\n", message);
    for (gsize i = 0; reasons && i < g_variant_n_children(reasons); i++) {
        g_autoptr(GVariant) reason = g_variant_get_child_value(reasons, i);
        const char *model = NULL, *rule = "", *text = "";
        g_autofree char *shown = NULL;

        g_variant_lookup(reason, "model", "&s", &model);
        g_variant_lookup(reason, "rule", "&s", &rule);
        g_variant_lookup(reason, "text", "&s", &text);
        /* A reason against the whole machine is mostly the message itself. */
        if (!model && g_str_equal(text, error->message))
            continue;
        shown = viommu_console_text_clean(text);
        fprintf(stderr, "  %-8s%s: %s\n", model ? model : "-", rule, shown);
    }
}

void viommu_output_note(const ViommuOutput *output, const char *text)
{
    g_autofree char *shown = viommu_console_text_clean(text);

    fflush(stdout);
    fprintf(stderr, "viommuctl: %s\n", shown);
}

void viommu_output_warning(const ViommuOutput *output, const char *text)
{
    g_autofree char *shown = viommu_console_text_clean(text);

    fflush(stdout);
    write_styled(stderr, output->color_error, VIOMMU_STYLE_WARNING, "viommuctl: warning:");
    fprintf(stderr, " %s\n", shown);
}

bool viommu_output_shows_progress(const ViommuOutput *output)
{
    return output->terminal_error && !output->json;
}

/* A line that reaches the right edge would not be replaced as a whole. */
static glong columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : 79;
}

void viommu_output_progress(ViommuOutput *output, const char *text)
{
    g_autofree char *clean = NULL, *shown = NULL;

    if (!viommu_output_shows_progress(output))
        return;
    clean = viommu_console_text_clean(text);
    shown = g_utf8_substring(clean, 0, MIN(g_utf8_strlen(clean, -1), columns()));
    fprintf(stderr, "\r\033[K%s", shown);
    output->in_progress = true;
}

void viommu_output_progress_end(ViommuOutput *output)
{
    if (output->in_progress)
        fputs("\r\033[K", stderr);
    output->in_progress = false;
}

bool viommu_output_finish(GError **error)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    return viommu_failure_set(error, VIOMMU_FAILURE_OUTPUT, "cannot write to standard output: %s",
                              g_strerror(errno));
}

static void row_free(void *data)
{
    Row *row = data;

    g_strfreev(row->cells);
    g_free(row);
}

ViommuTable *viommu_table_new(const char *const *titles, unsigned n_columns)
{
    ViommuTable *table = g_new0(ViommuTable, 1);

    table->titles = titles;
    table->n_columns = titles ? g_strv_length((char **)titles) : n_columns;
    table->rows = g_ptr_array_new_with_free_func(row_free);
    return table;
}

void viommu_table_free(ViommuTable *table)
{
    if (!table)
        return;
    g_ptr_array_unref(table->rows);
    g_free(table);
}

void viommu_table_add(ViommuTable *table, const char *const *cells, int styled, ViommuStyle style)
{
    Row *row = g_new0(Row, 1);

    row->cells = g_new0(char *, table->n_columns + 1);
    for (unsigned i = 0; i < table->n_columns; i++)
        row->cells[i] = viommu_console_text_clean(cells[i] && *cells[i] ? cells[i] : "-");
    row->styled = styled;
    row->style = style;
    g_ptr_array_add(table->rows, row);
}

static glong column_width(const ViommuTable *table, unsigned column)
{
    glong width = table->titles ? g_utf8_strlen(table->titles[column], -1) : 0;

    for (guint i = 0; i < table->rows->len; i++) {
        const Row *row = g_ptr_array_index(table->rows, i);

        width = MAX(width, g_utf8_strlen(row->cells[column], -1));
    }
    return width;
}

static void print_row(const ViommuTable *table, const glong *widths, const Row *row, bool color)
{
    for (unsigned i = 0; i < table->n_columns; i++) {
        bool last = i + 1 == table->n_columns;
        glong padding = last ? 0 : widths[i] - g_utf8_strlen(row->cells[i], -1) + 2;
        bool styled = row->styled == (int)i || row->style == VIOMMU_STYLE_HEAD;

        write_styled(stdout, color, styled ? row->style : VIOMMU_STYLE_PLAIN, row->cells[i]);
        printf("%*s", (int)padding, "");
    }
    printf("\n");
}

void viommu_table_print(const ViommuTable *table, const ViommuOutput *output)
{
    g_autofree glong *widths = g_new0(glong, table->n_columns);

    for (unsigned i = 0; i < table->n_columns; i++)
        widths[i] = column_width(table, i);
    if (table->titles) {
        const Row head = {.cells = (char **)table->titles, .styled = -1, .style = VIOMMU_STYLE_HEAD};

        print_row(table, widths, &head, output->color);
    }
    for (guint i = 0; i < table->rows->len; i++)
        print_row(table, widths, g_ptr_array_index(table->rows, i), output->color);
}
