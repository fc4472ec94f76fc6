/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config-internal: shared by the files of the configuration; no other file includes it.
 *   config.c        the defaults, and the files that change them
 *   config-keys.c   the table of keys, and the kinds of their values
 *   config-print.c  the values in force, and how they are printed
 *   config-site.c   the sections [device NAME], and the kinds of values for devices */
#pragma once

#include "daemon/process/config.h"
#include "lib/base/enum.h"

typedef struct ViommuConfigRow ViommuConfigRow;

/* A kind of value: how to parse and format it. */
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
    size_t bound;            /* offset of the value in force; 0: the same as offset */
    const char *old_name;    /* of a renamed key, still accepted with a warning; or NULL */
};

/** The rows of the table; @i from 0, NULL after the last.  Static. */
const ViommuConfigRow *viommu_config_row(unsigned i);

extern const ViommuConfigKind viommu_config_kind_number, viommu_config_kind_name;

/* --- config-site --- */

/* bool: yes or no */
extern const ViommuConfigKind viommu_config_kind_flag;
/* GPtrArray of device selectors, or names of [device NAME] sections */
extern const ViommuConfigKind viommu_config_kind_selectors;
/* char **: plain names */
extern const ViommuConfigKind viommu_config_kind_names;
/* bool: "root" or "refuse" */
extern const ViommuConfigKind viommu_config_kind_in_use;

/** Finds the row of [device NAME] for @group and @key, creates the section if it is new, and stores
 *  the address of the key's value in *ret_target.  NULL: there is no such section or key.
 *  Fails: INVALID_REQUEST for an invalid NAME. */
const ViommuConfigRow *viommu_config_section_row(ViommuConfig *config, const char *group, const char *key,
                                                 void **ret_target, GError **error);
/** Whether @group has the form "device NAME"; NAME may be invalid. */
bool viommu_config_is_section(const char *group);
/** Appends all sections in the form of viommu_config_print(). */
void viommu_config_print_sections(const ViommuConfig *config, GString *text);
/** Adds a warning for each section or list that cannot be intended, such as an empty one. */
void viommu_config_check_sections(ViommuConfig *config);
