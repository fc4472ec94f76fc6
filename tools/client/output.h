/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output: the only writer to the terminal: tables, colour, JSON, errors and progress.  Knows
 * nothing about machines. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef enum ViommuStyle {
    VIOMMU_STYLE_PLAIN,
    VIOMMU_STYLE_HEAD,
    VIOMMU_STYLE_GOOD,
    VIOMMU_STYLE_BAD,
    VIOMMU_STYLE_WARNING,
    VIOMMU_STYLE_LAST,
} ViommuStyle;

typedef struct ViommuOutput {
    bool json;
    bool terminal;       /* standard output is a terminal */
    bool terminal_error; /* standard error is a terminal */
    bool color, color_error;
    bool in_progress; /* a line of progress is shown */
} ViommuOutput;

/** Examines the two streams, $NO_COLOR and $TERM. */
void viommu_output_open(ViommuOutput *output, bool json, bool no_color);

/** Prints text on standard output.  On a terminal, control characters other than newlines become
 *  '?'. */
void viommu_output_text(const ViommuOutput *output, ViommuStyle style, const char *text);
void viommu_output_format(const ViommuOutput *output, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** Prints @tree as indented JSON; what could steer a terminal is escaped, and an empty maybe is
 *  null. Consumes one reference: a floating @tree is taken. */
void viommu_output_json(GVariant *tree);
/** The same text on one line.  Owned, g_free(). */
char *viommu_output_json_text(GVariant *tree);
/** The same on one line. */
void viommu_output_json_line(GVariant *tree);
/** Prints {"error": {name, message, reasons}} on standard output with --json, else text on standard
 *  error. @reasons: aa{sv} with model (optional), rule and text; may be NULL. */
void viommu_output_failure(ViommuOutput *output, const GError *error, GVariant *reasons);
/** Prints text on standard error. */
void viommu_output_note(const ViommuOutput *output, const char *text);
void viommu_output_warning(const ViommuOutput *output, const char *text);
/** Whether progress is shown: standard error is a terminal, and nobody wants JSON. */
bool viommu_output_shows_progress(const ViommuOutput *output);
/** Shows one line, cut at the width of the terminal, that the next output replaces; only if
 *  progress is shown. */
void viommu_output_progress(ViommuOutput *output, const char *text);
void viommu_output_progress_end(ViommuOutput *output);
/** Flushes the output.  Fails: OUTPUT (of VIOMMU_FAILURE), for example on a full disk. */
bool viommu_output_finish(GError **error);

typedef struct ViommuTable ViommuTable;

/** @titles: NULL-terminated, borrowed; NULL: no titles, and @n_columns columns. */
ViommuTable *viommu_table_new(const char *const *titles, unsigned n_columns);
void viommu_table_free(ViommuTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuTable, viommu_table_free)
/** Adds a row of one cell per column, copied; NULL is shown as '-'.  Cell @styled (-1: none) has
 *  @style. */
void viommu_table_add(ViommuTable *table, const char *const *cells, int styled, ViommuStyle style);
void viommu_table_print(const ViommuTable *table, const ViommuOutput *output);
