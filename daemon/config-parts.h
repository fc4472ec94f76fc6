/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config-parts: what the files of the configuration share among themselves; nobody else includes this.
 *   config.c        the keys, and the files that they are read from
 *   config-print.c  what is in force, and how it is shown */
#pragma once

#include "daemon/config.h"
#include "lib/enum.h"

typedef struct ViommuConfigRow ViommuConfigRow;

/* A kind of value: from text, and back. */
typedef struct ViommuConfigKind {
    bool (*parse)(const ViommuConfigRow *row, const char *text, void *target, GError **error);
    char *(*format)(const ViommuConfigRow *row, const void *value);
} ViommuConfigKind;

/* One key of the table. */
struct ViommuConfigRow {
    ViommuConfigKey name;
    const ViommuConfigKind *kind;
    size_t offset;
    const ViommuEnum *words; /* kind_word */
    uint64_t min, max;       /* kind_size, kind_number, kind_count */
    size_t bound;            /* where the value in force is; 0: at offset */
};

/** The rows of the table; @i from 0, NULL after the last. Static. */
const ViommuConfigRow *viommu_config_row(unsigned i);
