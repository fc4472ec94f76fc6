/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/guest/report-scan.h"

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#include "lib/guest/proof.h"

struct ViommuReportCatcher {
    /* from the last begin marker on; without one, the bytes that may be a part of it */
    GString *rest;
    GString *last; /* NULL: none yet */
};

ViommuReportCatcher *viommu_report_catcher_new(void)
{
    ViommuReportCatcher *catcher = g_new0(ViommuReportCatcher, 1);

    catcher->rest = g_string_new(NULL);
    return catcher;
}

void viommu_report_catcher_free(ViommuReportCatcher *catcher)
{
    if (!catcher)
        return;
    g_string_free(catcher->rest, TRUE);
    if (catcher->last)
        g_string_free(catcher->last, TRUE);
    g_free(catcher);
}

static const char *find(const GString *text, const char *marker)
{
    return memmem(text->str, text->len, marker, strlen(marker));
}

/* Works on any output, also with zeros in it. */
static bool begins(const GString *text)
{
    return text->len >= strlen(VIOMMU_REPORT_BEGIN) &&
           memcmp(text->str, VIOMMU_REPORT_BEGIN, strlen(VIOMMU_REPORT_BEGIN)) == 0;
}

/* Output before a begin marker is useless, except for its last bytes, which may begin one. */
static void forget(GString *rest)
{
    const char *begin = find(rest, VIOMMU_REPORT_BEGIN);
    size_t keep = strlen(VIOMMU_REPORT_BEGIN) - 1;

    if (begin)
        g_string_erase(rest, 0, begin - rest->str);
    else if (rest->len > keep)
        g_string_erase(rest, 0, (gssize)(rest->len - keep));
}

/* Returns true when a report was complete. */
static bool take_report(ViommuReportCatcher *catcher)
{
    GString *rest = catcher->rest;
    const char *end;
    size_t size;

    forget(rest);
    end = begins(rest) ? find(rest, VIOMMU_REPORT_END) : NULL;
    if (!end)
        return false;
    size = (size_t)(end - rest->str) + strlen(VIOMMU_REPORT_END);
    if (!catcher->last)
        catcher->last = g_string_new(NULL);
    g_string_truncate(catcher->last, 0);
    g_string_append_len(catcher->last, rest->str, (gssize)size);
    g_string_append_c(catcher->last, '\n');
    g_string_erase(rest, 0, (gssize)size);
    return true;
}

void viommu_report_catcher_feed(ViommuReportCatcher *catcher, const void *data, size_t size)
{
    const char *bytes = data;

    while (size > 0) {
        size_t room = VIOMMU_REPORT_BYTES_MAX - catcher->rest->len, piece = MIN(size, room);

        g_string_append_len(catcher->rest, bytes, (gssize)piece);
        bytes += piece;
        size -= piece;
        while (take_report(catcher))
            ;
        /* An unterminated report is discarded up to the next begin marker. */
        if (catcher->rest->len >= VIOMMU_REPORT_BYTES_MAX) {
            g_string_erase(catcher->rest, 0, 1);
            forget(catcher->rest);
        }
    }
}

bool viommu_report_catcher_is_inside(const ViommuReportCatcher *catcher)
{
    return begins(catcher->rest);
}

const char *viommu_report_catcher_last(const ViommuReportCatcher *catcher, size_t *ret_size)
{
    if (!catcher->last)
        return NULL;
    *ret_size = catcher->last->len;
    return catcher->last->str;
}
