/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* did-you-mean: the known word that an unknown one was probably meant to be. */
#pragma once

#include <stddef.h>

/** The word among the @n @words (any may be NULL) that is nearest to @word by edit distance with
 *  transpositions, ignoring case; NULL when none is near enough to help.  Borrowed from @words. */
const char *viommu_nearest(const char *word, const char *const *words, size_t n);
