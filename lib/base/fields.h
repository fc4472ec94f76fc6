/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields: a{sv} to a C struct and back, by a table of fields.  Consumes known keys, refuses the
 * rest by name with the nearest known key.  Requests and recorded hosts are both read by it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/enum.h"

typedef enum ViommuFieldKind {
    VIOMMU_FIELD_STRING, /* char *, NULL when unset */
    VIOMMU_FIELD_FILE,   /* ViommuFile; a path, or a (sh) of a name and a handle */
    VIOMMU_FIELD_FLAG,   /* int: VIOMMU_UNSET, 0, 1 */
    /* uint64_t, VIOMMU_UNSET_NUMBER when unset; any integer type in range is taken */
    VIOMMU_FIELD_NUMBER,
    VIOMMU_FIELD_SIZE,    /* uint64_t bytes; a number, or text with a unit */
    VIOMMU_FIELD_VERSION, /* ViommuVersion, 0 when unset; text */
    VIOMMU_FIELD_WORDS,   /* char **, NULL when unset; a list of strings, or one string */
    VIOMMU_FIELD_ENUM,    /* int, VIOMMU_UNSET when unset */
    VIOMMU_FIELD_SET,     /* uint64_t, bit per enum value, 0 when unset; a list of words */
    VIOMMU_FIELD_DICT,    /* struct, by its own table */
    VIOMMU_FIELD_LIST,    /* GPtrArray of structs by their own table; NULL when unset */
    VIOMMU_FIELD_LAST,
} ViommuFieldKind;

/* A file: by its path, or open already. */
typedef struct ViommuFile {
    char *path; /* NULL when unset; of an open one, what people know it by */
    int handle; /* VIOMMU_UNSET: not open.  What it counts in, the caller knows. */
} ViommuFile;

typedef struct ViommuFields ViommuFields;

typedef struct ViommuField {
    const char *key;
    ViommuFieldKind kind;
    size_t offset;
    const ViommuEnum *words;    /* ENUM, SET */
    const ViommuFields *fields; /* DICT, LIST */
    /* NUMBER, SIZE: inclusive; max 0 means no bound; WORDS, LIST: max entries */
    uint64_t min, max;
    bool required;    /* inside a dict that is present */
    const char *hint; /* said after a complaint about the type; may be NULL */
} ViommuField;

/* Bounds that hold for every table. */
#define VIOMMU_FIELDS_MAX      64   /* keys of one dict */
#define VIOMMU_FIELDS_TEXT_MAX 4096 /* bytes of one string */
/* strings of one list; entries of one without a bound of its own */
#define VIOMMU_FIELDS_WORDS_MAX 256

struct ViommuFields {
    const ViommuField *fields;
    size_t n_fields; /* at most VIOMMU_FIELDS_MAX */
    size_t struct_size;
    ptrdiff_t present_offset; /* of a bool that is set when the dict was there; -1: none */
};

/** Sets every field of @target to its unset value. */
void viommu_fields_init(const ViommuFields *table, void *target);
/** Frees what the fields of @target own and sets them unset again. */
void viommu_fields_clear(const ViommuFields *table, void *target);
/** Reads @dict (a{sv}) into @target, which was initialised.  @path is the dict's own place, "" at
 *  the top; it prefixes keys in messages ("iommu.model").  Refused by name: unknown and doubled
 *  keys, wrong types, null, numbers out of range, strings that are empty, too long or hold
 *  characters that XML or a log cannot (control characters).  A variant inside a variant counts as
 *  what it holds. Fails: INVALID_REQUEST; @target is then half filled, clear it. */
bool viommu_fields_read(const ViommuFields *table, GVariant *dict, const char *path, void *target,
                        GError **error);
/** Whether @text is acceptable as a string of a field; other text cannot be recorded. */
bool viommu_fields_is_text(const char *text);
/** The fields that are set, in the table's order, as a floating a{sv}.  A dict without a present
 *  flag is written when something in it is set, a list when it has entries or is required. */
GVariant *viommu_fields_write(const ViommuFields *table, const void *target);
