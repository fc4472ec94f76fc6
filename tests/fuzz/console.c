/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console: cleans a guest's output for a terminal, in pieces, and for a message; finds a report in
 * it; and measures its depth as JSON. */
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include "lib/base/printable.h"
#include "lib/base/json-depth.h"
#include "lib/guest/proof.h"
#include "lib/guest/report-scan.h"

/* Neither ESC nor C1, as a byte or in UTF-8, nor any other invisible character. */
static void check_clean(const char *text)
{
    fuzz_check(g_utf8_validate(text, -1, NULL));
    for (const char *at = text; *at; at = g_utf8_next_char(at)) {
        gunichar character = g_utf8_get_char(at);

        fuzz_check(character == '\n' || (character >= 0x20 && character != 0x7f));
        fuzz_check(character < 0x80 || character > 0x9f);
        fuzz_check(character == '\n' || g_unichar_isprint(character));
    }
}

static void check_text(const uint8_t *data, size_t size)
{
    g_autofree char *all = viommu_console_text_clean_bytes(data, size);
    g_autofree char *tail = viommu_console_text_tail(data, size);
    size_t cut = size > 0 ? data[0] % size : 0;
    g_autofree char *first = viommu_console_text_clean_bytes(data, cut);
    g_autofree char *rest = viommu_console_text_clean_bytes(data + cut, size - cut);
    g_autofree char *again = viommu_console_text_clean(all);

    check_clean(all);
    check_clean(first);
    check_clean(rest);
    fuzz_check_same(all, again);
    if (!tail)
        return;
    check_clean(tail);
    fuzz_check(*tail && strlen(tail) <= VIOMMU_CONSOLE_TAIL_BYTES);
}

static void feed(ViommuReportCatcher *catcher, const uint8_t *data, size_t size, size_t piece)
{
    for (size_t at = 0; at < size; at += piece)
        viommu_report_catcher_feed(catcher, data + at, MIN(piece, size - at));
}

/* The same report is found however the output is cut, and it is complete. */
static void check_report(const uint8_t *data, size_t size)
{
    ViommuReportCatcher *whole = viommu_report_catcher_new(), *pieces = viommu_report_catcher_new();
    const char *one, *other;
    size_t one_size = 0, other_size = 0;

    feed(whole, data, size, MAX(size, 1));
    feed(pieces, data, size, size > 0 ? data[0] % 13 + 1 : 1);
    one = viommu_report_catcher_last(whole, &one_size);
    other = viommu_report_catcher_last(pieces, &other_size);
    fuzz_check(!one == !other && one_size == other_size);
    fuzz_check(!one || memcmp(one, other, one_size) == 0);
    fuzz_check(one_size <= VIOMMU_REPORT_BYTES_MAX + 1);
    fuzz_check(!one || g_str_has_prefix(one, VIOMMU_REPORT_BEGIN));
    viommu_report_catcher_free(whole);
    viommu_report_catcher_free(pieces);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_text(data, size);
    check_report(data, size);
    if (viommu_nesting_is_within((const char *)data, size, 2))
        fuzz_check(viommu_nesting_is_within((const char *)data, size, 3));
    return 0;
}
