/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmdline: what Linux makes of the words of its command line (kernel/params.c, lib/cmdline.c): '-'
 * and '_' are one in names, quotes keep blanks, the last of several words counts, and what follows
 * "--" is for init.  Does not know what a word does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** Where @word last stands, from 1: "nox2apic" as it is, and "option=value" also as one of several
 *  values ("option=other,value").  0: nowhere, or @cmdline is NULL. */
size_t viommu_cmdline_at(const char *cmdline, const char *word);
/** Where the words for init begin, with "--"; NULL: there are none. */
const char *viommu_cmdline_init(const char *cmdline);
/** Whether @word stands there, and no @undone_by (NULL: nothing undoes it) after it. */
bool viommu_cmdline_says(const char *cmdline, const char *word, const char *undone_by);
