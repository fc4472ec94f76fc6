/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tally: what viommud has counted since its start: events by a word, and how long things take by a
 * word.  Knows no machines.  The words are of tables of viommud's, never of a client's, so there
 * are few.  Loop thread only. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef enum ViommuTallyKind {
    VIOMMU_TALLY_LAUNCHES, /* by their results */
    VIOMMU_TALLY_RULES,    /* launches that were refused, by the rules against them */
    VIOMMU_TALLY_STEPS,    /* of launches, with their times */
    VIOMMU_TALLY_LAST,
} ViommuTallyKind;

/** Counts one; @word is static. */
void viommu_tally_count(ViommuTallyKind kind, const char *word);
/** Counts one that took @usec. */
void viommu_tally_time(ViommuTallyKind kind, const char *word, gint64 usec);
/** Appends the family of metrics @name, whose help is @help, with the label @label, as OpenMetrics
 *  text.  A family of times is a histogram in seconds, any other a counter. */
void viommu_tally_write(ViommuTallyKind kind, const char *name, const char *label, const char *help,
                        GString *text);
/** For tests: forgets everything. */
void viommu_tally_clear(void);
