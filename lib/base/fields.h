/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fields: a{sv} to a C struct and back, by a table of fields.  An unknown key is refused by name,
 * with the nearest known key.  Requests and recorded hosts use it. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stddef.h>
#include "lib/base/enum.h"

typedef enum ViommuFieldKind {
    VIOMMU_FIELD_STRING, /* char *, NULL when unset */
    VIOMMU_FIELD_FILE,   /* ViommuFile; a path, or (sh): a name and a handle */
    VIOMMU_FIELD_FLAG,   /* int: VIOMMU_UNSET, 0, 1 */
    /* uint64_t, VIOMMU_UNSET_NUMBER when unset; from any integer type, if the value is in range */
    VIOMMU_FIELD_NUMBER,
    VIOMMU_FIELD_SIZE,    /* uint64_t bytes; a number, or text with a unit */
    VIOMMU_FIELD_VERSION, /* ViommuVersion, 0 when unset; text */
    VIOMMU_FIELD_WORDS,   /* char **, NULL when unset; a list of strings, or one string */
    VIOMMU_FIELD_NUMBERS, /* GArray of uint64_t, NULL when unset; a list of numbers, or one */
    VIOMMU_FIELD_ENUM,    /* int, VIOMMU_UNSET when unset */
    VIOMMU_FIELD_SET,     /* uint64_t, bit per enum value, 0 when unset; a list of words */
    VIOMMU_FIELD_DICT,    /* struct, by its own table */
    VIOMMU_FIELD_LIST,    /* GPtrArray of structs by their own table; NULL when unset */
    VIOMMU_FIELD_LAST,
} ViommuFieldKind;

/* A file: a path that viommud opens, or a file that the caller has opened. */
typedef struct ViommuFile {
    char *path; /* NULL when unset; the display name of an open file */
    int handle; /* VIOMMU_UNSET: not open; the caller defines what the number indexes */
} ViommuFile;

typedef struct ViommuFields ViommuFields;

typedef struct ViommuField {
    const char *key;
    ViommuFieldKind kind;
    size_t offset;
    const ViommuEnum *words;    /* ENUM, SET */
    const ViommuFields *fields; /* DICT, LIST */
    /* NUMBER, NUMBERS, SIZE: inclusive, max 0 means no bound; WORDS, LIST: the most entries */
    uint64_t min, max;
    uint64_t max_entries; /* NUMBERS: the most entries */
    bool required;        /* required when the dict is present */
    bool may_be_empty;    /* WORDS: an empty list is taken as none */
    bool conditions;      /* FLAG: takes text with an operator of tmt, too: "!= true" */
    const char *hint;     /* added to a message about a wrong type; may be NULL */
    /* STRING, WORDS: why @text may not stand there, "is ..."; NULL: it may.  Asked before anything
     * else of the text, and no message quotes what is refused */
    const char *(*refuse)(const char *text);
} ViommuField;

/* Bounds that hold for every table. */
#define VIOMMU_FIELDS_MAX      64   /* keys of one dict */
#define VIOMMU_FIELDS_TEXT_MAX 4096 /* bytes of one string */
/* strings of one list, and entries of a list without a bound of its own */
#define VIOMMU_FIELDS_WORDS_MAX 256

struct ViommuFields {
    const ViommuField *fields;
    size_t n_fields; /* at most VIOMMU_FIELDS_MAX */
    size_t struct_size;
    /* offset of a bool that is true when the dict was present; -1: none */
    ptrdiff_t present_offset;
};

/** Sets each field of @target to its unset value. */
void viommu_fields_init(const ViommuFields *table, void *target);
/** Frees what the fields of @target own, and unsets them. */
void viommu_fields_clear(const ViommuFields *table, void *target);
/** Reads @dict (a{sv}) into @target, which must be initialised.  @path is the place of the dict, ""
 *  at the top; in messages it prefixes keys ("iommu.model").  Refuses by name: unknown and repeated
 *  keys, wrong types, null, numbers out of range, strings that are empty, too long, or have
 *  characters that XML or a log cannot carry (control characters).  A variant inside a variant is
 *  unwrapped.  Fails: INVALID_REQUEST; @target is then partly filled: clear it. */
bool viommu_fields_read(const ViommuFields *table, GVariant *dict, const char *path, void *target,
                        GError **error);
/** Whether @text is acceptable as a string of a field. */
bool viommu_fields_is_text(const char *text);
/** The fields that are set, in the table's order, as a floating a{sv}.  A dict without a present
 *  flag is written when one of its fields is set; a list when it has entries or is required. */
GVariant *viommu_fields_write(const ViommuFields *table, const void *target);
/** The text of that tree, as g_variant_print() writes it without a type in front.  Owned,
 *  g_free(). */
char *viommu_fields_text(const ViommuFields *table, const void *target);
