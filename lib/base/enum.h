/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* enum: the words of the bus, the files and the messages, each with its number.  Knows no words:
 * each table stands beside its enum, in the module that owns the enum, and a static assert keeps
 * both at one length. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuEnum {
    const char *noun;         /* in messages: "architecture" */
    const char *const *words; /* words[value] */
    int last;                 /* number of values */
} ViommuEnum;

/* The value of an optional word, number or flag that was not given. */
#define VIOMMU_UNSET        (-1)
#define VIOMMU_UNSET_NUMBER UINT64_MAX

/** Defines viommu_enum_NAME: the words in the order of the enum, which has @count values. */
#define VIOMMU_ENUM_DEFINE(name, text, count, ...)           \
    static const char *const name##_words[] = {__VA_ARGS__}; \
    G_STATIC_ASSERT(G_N_ELEMENTS(name##_words) == (count));  \
    const ViommuEnum viommu_enum_##name = {.noun = (text), .words = name##_words, .last = (count)}

/** The bit of @value in a set of words; a set has 64 bits. */
#define VIOMMU_BIT(value) (UINT64_C(1) << (value))

/** The word of @value; NULL when @value is out of range (VIOMMU_UNSET included). Static. */
const char *viommu_enum_to_string(const ViommuEnum *table, int value);
/** The value of @word, or VIOMMU_UNSET. Case matters. */
int viommu_enum_from_string(const ViommuEnum *table, const char *word);
/** All words as "a, b, c", for messages. Owned, g_free(). */
char *viommu_enum_list(const ViommuEnum *table);
