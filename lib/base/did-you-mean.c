/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* did-you-mean: edit distance between words.  Knows no words. */
#include "lib/base/did-you-mean.h"

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define LONGEST         64
#define SHORTEST_PREFIX 3

/* Optimal string alignment: insert, delete, replace, or swap two neighbours.  Neither word is
 * longer than LONGEST. */
static size_t distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t rows[3][LONGEST + 1];

    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3];
        const size_t *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];

        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            char x = g_ascii_tolower(a[i - 1]), y = g_ascii_tolower(b[j - 1]);
            bool swapped = i > 1 && j > 1 && x == g_ascii_tolower(b[j - 2]) && y == g_ascii_tolower(a[i - 2]);

            row[j] = MIN(MIN(above[j], row[j - 1]) + 1, above[j - 1] + (x != y));
            if (swapped)
                row[j] = MIN(row[j], two_above[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

/* A third of the letters may be wrong, and one letter always, in words of two letters or more. */
static size_t most_edits(size_t a_length, size_t b_length)
{
    size_t longer = MAX(a_length, b_length), shorter = MIN(a_length, b_length);

    if (longer < 2)
        return 0;
    return longer - shorter <= 1 ? MAX(longer / 3, 1) : (longer + 2) / 3;
}

/* How far the first numbers of two words are apart: "fedora46" is nearer to "fedora43" than to
 * "fedora40".  UINT64_MAX: a word has none. */
static uint64_t number_gap(const char *a, const char *b)
{
    const char *a_digits = a + strcspn(a, "0123456789"), *b_digits = b + strcspn(b, "0123456789");
    uint64_t a_number = g_ascii_strtoull(a_digits, NULL, 10), b_number = g_ascii_strtoull(b_digits, NULL, 10);

    if (!*a_digits || !*b_digits)
        return UINT64_MAX;
    return MAX(a_number, b_number) - MIN(a_number, b_number);
}

const char *viommu_nearest(const char *word, const char *const *words, size_t n)
{
    size_t length = strlen(word), best = SIZE_MAX, best_prefix = SHORTEST_PREFIX - 1;
    const char *nearest = NULL, *longest_prefix = NULL;

    if (length > LONGEST)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        size_t other = words[i] ? strlen(words[i]) : 0;

        if (other == 0 || other > LONGEST)
            continue;
        size_t edits = distance(word, length, words[i], other), common = MIN(length, other);
        bool is_nearer =
            edits < best || (edits == best && number_gap(word, words[i]) < number_gap(word, nearest));
        if (edits <= most_edits(length, other) && is_nearer) {
            best = edits;
            nearest = words[i];
        }
        /* "virtio-iommu" for "virtio", "mem" for "memory" */
        if (common > best_prefix && g_ascii_strncasecmp(word, words[i], common) == 0) {
            best_prefix = common;
            longest_prefix = words[i];
        }
    }
    return nearest ? nearest : longest_prefix;
}
