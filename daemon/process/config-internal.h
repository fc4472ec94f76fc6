/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config-internal: what the files of the configuration share among themselves; nobody else includes this.
 *   config.c        the keys, and the files that they are read from
 *   config-print.c  what is in force, and how it is shown
 *   config-site.c   sections that a site names itself, and the kinds of values that speak of devices */
#pragma once

#include "daemon/process/config.h"
#include "lib/base/enum.h"

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

extern const ViommuConfigKind viommu_config_kind_number, viommu_config_kind_name;

/* --- config-site --- */

extern const ViommuConfigKind viommu_config_kind_flag; /* bool: yes or no */
extern const ViommuConfigKind
    viommu_config_kind_selectors;                        /* GPtrArray: of devices, or names of the site's */
extern const ViommuConfigKind viommu_config_kind_names;  /* char **: plain names */
extern const ViommuConfigKind viommu_config_kind_in_use; /* bool: "root" or "refuse" */

/** The row of [device NAME] for @group and @key, and in *ret_target what it sets, which is made when it is not there; NULL: that is no
 *  such section or no such key.  Fails: INVALID_REQUEST, when the NAME is none. */
const ViommuConfigRow *viommu_config_section_row(ViommuConfig *config, const char *group, const char *key,
                                                 void **ret_target, GError **error);
/** Whether @group is "device NAME", whatever NAME is. */
bool viommu_config_is_section(const char *group);
/** All sections as viommu_config_print() has groups. */
void viommu_config_print_sections(const ViommuConfig *config, GString *text);
/** What of the sections and the lists of them cannot be meant, as warnings. */
void viommu_config_check_sections(ViommuConfig *config);
