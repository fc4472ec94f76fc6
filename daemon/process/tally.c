/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tally: a row for each word, in the order of their first events. */
#include "daemon/process/tally.h"

#include <inttypes.h>
#include <stdbool.h>

/* The upper ends of buckets; one more takes the rest. */
static const struct {
    gint64 msec;
    const char *seconds;
} ends[] = {
    {1, "0.001"}, {5, "0.005"},  {25, "0.025"},   {100, "0.1"},
    {500, "0.5"}, {2500, "2.5"}, {10000, "10.0"}, {60000, "60.0"},
};
#define BUCKETS (G_N_ELEMENTS(ends) + 1)

typedef struct Row {
    ViommuTallyKind kind;
    const char *word;
    uint64_t n, usec;
    uint64_t in_bucket[BUCKETS];
} Row;

static GArray *rows;

static Row *find_row(ViommuTallyKind kind, const char *word)
{
    Row fresh = {.kind = kind, .word = word};

    if (!rows)
        rows = g_array_new(FALSE, FALSE, sizeof(Row));
    for (guint i = 0; i < rows->len; i++) {
        Row *row = &g_array_index(rows, Row, i);

        if (row->kind == kind && g_str_equal(row->word, word))
            return row;
    }
    g_array_append_val(rows, fresh);
    return &g_array_index(rows, Row, rows->len - 1);
}

void viommu_tally_count(ViommuTallyKind kind, const char *word)
{
    find_row(kind, word)->n++;
}

void viommu_tally_time(ViommuTallyKind kind, const char *word, gint64 usec)
{
    Row *row = find_row(kind, word);
    size_t bucket = 0;

    while (bucket < G_N_ELEMENTS(ends) && usec > ends[bucket].msec * G_TIME_SPAN_MILLISECOND)
        bucket++;
    row->n++;
    row->usec += (uint64_t)MAX(usec, 0);
    row->in_bucket[bucket]++;
}

static void write_histogram(const Row *row, const char *name, const char *label, GString *text)
{
    uint64_t n = 0;

    for (size_t i = 0; i < BUCKETS; i++) {
        n += row->in_bucket[i];
        g_string_append_printf(text, "%s_bucket{%s=\"%s\",le=\"%s\"} %" PRIu64 "\n", name, label, row->word,
                               i < G_N_ELEMENTS(ends) ? ends[i].seconds : "+Inf", n);
    }
    g_string_append_printf(text, "%s_count{%s=\"%s\"} %" PRIu64 "\n", name, label, row->word, row->n);
    /* A decimal point whatever the locale is. */
    g_string_append_printf(text, "%s_sum{%s=\"%s\"} %" PRIu64 ".%06" PRIu64 "\n", name, label, row->word,
                           row->usec / G_USEC_PER_SEC, row->usec % G_USEC_PER_SEC);
}

void viommu_tally_write(ViommuTallyKind kind, const char *name, const char *label, const char *help,
                        GString *text)
{
    bool timed = kind == VIOMMU_TALLY_STEPS;

    g_string_append_printf(text, "# TYPE %s %s\n", name, timed ? "histogram" : "counter");
    if (timed)
        g_string_append_printf(text, "# UNIT %s seconds\n", name);
    g_string_append_printf(text, "# HELP %s %s\n", name, help);
    for (guint i = 0; rows && i < rows->len; i++) {
        const Row *row = &g_array_index(rows, Row, i);

        if (row->kind != kind)
            continue;
        if (timed)
            write_histogram(row, name, label, text);
        else
            g_string_append_printf(text, "%s_total{%s=\"%s\"} %" PRIu64 "\n", name, label, row->word, row->n);
    }
}

void viommu_tally_clear(void)
{
    g_clear_pointer(&rows, g_array_unref);
}
