/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request-words: the words KEY=VALUE of a command line, as keys of a request's tree.  Knows tables
 * of fields, not their keys.  Pure. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/base/fields.h"

/** Whether @word is KEY=VALUE, not the name of a file: it has a '=', and no '/' before it. */
bool viommu_request_words_is(const char *word);
/** Sets the keys of the NULL-terminated @words in @tree (a{sv}, as of request-file; NULL: empty;
 *  not consumed), one after another.  A key is a path in @table, such as "iommu.model" or
 *  "disks.0.size". The next free index of a list adds an entry.  A list of strings takes its
 *  entries from one word, with commas, and from each further word with the same key. @return owned
 *  (not floating).  Fails: INVALID_REQUEST quoting the word, and naming the nearest key for an
 *  unknown one. */
GVariant *viommu_request_words_apply(const ViommuFields *table, GVariant *tree, const char *const *words,
                                     GError **error);
/** A line for each key of @table, "disks.N.format=raw|qcow2", in the table's order.  Owned,
 *  g_free(). */
char *viommu_request_words_help(const ViommuFields *table);
