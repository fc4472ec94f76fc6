/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* output: the only writer to the terminal: tables, colour where a person looks, JSON, failures, progress.
 * Knows nothing of machines. */
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
    bool terminal;       /* a person reads standard output */
    bool terminal_error; /* and standard error */
    bool color, color_error;
    bool in_progress; /* a line of progress stands there */
} ViommuOutput;

/** Looks at the two streams, and at $NO_COLOR and $TERM. */
void viommu_output_open(ViommuOutput *output, bool json, bool no_color);

/** Text for standard output.  On a terminal control characters other than newlines are shown as '?'. */
void viommu_output_text(const ViommuOutput *output, ViommuStyle style, const char *text);
void viommu_output_format(const ViommuOutput *output, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** @tree as pretty-printed JSON, in which nothing steers a terminal: it is escaped; an empty maybe is null.  Consumes one reference: a floating @tree is taken. */
void viommu_output_json(GVariant *tree);
/** With --json {"error": {name, message, reasons}} on standard output, else text on standard error.
 *  @reasons aa{sv} with model (optional), rule, text; may be NULL. */
void viommu_output_failure(ViommuOutput *output, const GError *error, GVariant *reasons);
void viommu_output_warning(const ViommuOutput *output, const char *text);
/** One line that the next output takes the place of; nothing unless standard error is a terminal. */
void viommu_output_progress(ViommuOutput *output, const char *text);
void viommu_output_progress_end(ViommuOutput *output);
/** Writes out what is buffered.  Fails: OUTPUT (of VIOMMU_FAILURE), a full disk for one. */
bool viommu_output_finish(GError **error);

typedef struct ViommuTable ViommuTable;

/** @titles NULL-terminated, borrowed; NULL: no head, @n_columns then counts. */
ViommuTable *viommu_table_new(const char *const *titles, unsigned n_columns);
void viommu_table_free(ViommuTable *table);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuTable, viommu_table_free)
/** A row of as many @cells as there are columns, copied; NULL is shown as '-'.  Cell @styled (or none: -1) in @style. */
void viommu_table_add(ViommuTable *table, const char *const *cells, int styled, ViommuStyle style);
void viommu_table_print(const ViommuTable *table, const ViommuOutput *output);
