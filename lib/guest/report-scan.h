/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* report-scan: finds the last complete report in a guest's output, piece by piece, with bounded
 * memory.  Knows the two marker lines; does not know what is between them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

typedef struct ViommuReportCatcher ViommuReportCatcher;

ViommuReportCatcher *viommu_report_catcher_new(void);
void viommu_report_catcher_free(ViommuReportCatcher *catcher);
/** Takes the next piece of output. */
void viommu_report_catcher_feed(ViommuReportCatcher *catcher, const void *data, size_t size);
/** The last complete report, markers included, of *ret_size bytes.  Borrowed, until the next feed;
 *  NULL: none yet. */
const char *viommu_report_catcher_last(const ViommuReportCatcher *catcher, size_t *ret_size);
/** Whether a report has begun and has not ended yet. */
bool viommu_report_catcher_is_inside(const ViommuReportCatcher *catcher);
