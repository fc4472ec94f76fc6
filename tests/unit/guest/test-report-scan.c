/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-report-scan: reports in pieces of any size, in noise, without an end, and several of
 * them. */
#include <string.h>
#include "lib/guest/proof.h"
#include "lib/guest/report-scan.h"
#include "tests/unit/unit.h"

#define REPORT(inside) VIOMMU_REPORT_BEGIN "\r\n" inside "\r\n" VIOMMU_REPORT_END

static const struct {
    const char *output;
    const char *last; /* NULL: none */
} outputs[] = {
    {"", NULL},
    {"[    0.000000] Linux version 6.12\n", NULL},
    {"noise" REPORT("groups 3") "\nmore", REPORT("groups 3")},
    {REPORT("groups 1") REPORT("groups 2") "\n", REPORT("groups 2")},
    {VIOMMU_REPORT_BEGIN "\ngroups 1\n", NULL},
    {VIOMMU_REPORT_END "\n" VIOMMU_REPORT_BEGIN "\n", NULL},
    /* A begin marker inside a report is part of it: the reader uses the last one. */
    {VIOMMU_REPORT_BEGIN VIOMMU_REPORT_BEGIN "x" VIOMMU_REPORT_END,
     VIOMMU_REPORT_BEGIN VIOMMU_REPORT_BEGIN "x" VIOMMU_REPORT_END},
    {"viommu-report begi viommu-report begin a viommu-report en viommu-report end",
     "viommu-report begin a viommu-report en viommu-report end"},
};

static void check(ViommuReportCatcher *catcher, const char *expected)
{
    size_t size = 0;
    const char *last = viommu_report_catcher_last(catcher, &size);
    g_autofree char *line = expected ? g_strdup_printf("%s\n", expected) : NULL;

    ck_assert_int_eq(last != NULL, expected != NULL);
    if (expected) {
        ck_assert_uint_eq(size, strlen(line));
        ck_assert(memcmp(last, line, size) == 0);
    }
}

START_TEST(pieces)
{
    for (size_t row = 0; row < G_N_ELEMENTS(outputs); row++)
        for (size_t piece = 1; piece < 70; piece++) {
            ViommuReportCatcher *catcher = viommu_report_catcher_new();
            size_t length = strlen(outputs[row].output);

            for (size_t at = 0; at < length; at += piece)
                viommu_report_catcher_feed(catcher, outputs[row].output + at, MIN(piece, length - at));
            check(catcher, outputs[row].last);
            viommu_report_catcher_free(catcher);
        }
}
END_TEST

/* A report without an end, with zeros in it; then a complete one. */
START_TEST(too_long)
{
    ViommuReportCatcher *catcher = viommu_report_catcher_new();
    g_autofree char *zeros = g_malloc0(3 * VIOMMU_REPORT_BYTES_MAX);

    viommu_report_catcher_feed(catcher, VIOMMU_REPORT_BEGIN, strlen(VIOMMU_REPORT_BEGIN));
    viommu_report_catcher_feed(catcher, zeros, 3 * VIOMMU_REPORT_BYTES_MAX);
    viommu_report_catcher_feed(catcher, VIOMMU_REPORT_END, strlen(VIOMMU_REPORT_END));
    check(catcher, NULL);
    viommu_report_catcher_feed(catcher, REPORT("groups 4"), strlen(REPORT("groups 4")));
    check(catcher, REPORT("groups 4"));
    viommu_report_catcher_free(catcher);
}
END_TEST

START_TEST(inside)
{
    static const struct {
        const char *piece;
        bool inside;
    } pieces_of_one[] = {
        {"noise viommu-report beg", false}, {"in\ngroups 1\n", true},
        {"viommu-report en", true},         {"d\n", false},
        {"viommu-report begin", true},
    };
    ViommuReportCatcher *catcher = viommu_report_catcher_new();

    ck_assert(!viommu_report_catcher_is_inside(catcher));
    for (size_t i = 0; i < G_N_ELEMENTS(pieces_of_one); i++) {
        viommu_report_catcher_feed(catcher, pieces_of_one[i].piece, strlen(pieces_of_one[i].piece));
        ck_assert_int_eq(viommu_report_catcher_is_inside(catcher), pieces_of_one[i].inside);
    }
    viommu_report_catcher_free(catcher);
}
END_TEST

UNIT_MAIN("report-catcher", pieces, too_long, inside)
