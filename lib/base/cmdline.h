/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* cmdline: what Linux makes of the words of its command line (kernel/params.c, lib/cmdline.c): '-'
 * and '_' are one in names, quotes keep blanks, the last of several words counts, and what follows
 * "--" is for init.  Does not know what a word does. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/** The last position of @word, counted from 1: "nox2apic" as a whole word, "option=value" also as
 *  one of several values ("option=other,value"), "option=" with any value.  0: it is not there, or
 *  @cmdline is NULL. */
size_t viommu_cmdline_at(const char *cmdline, const char *word);
/** The "--" before the words for init; NULL: there is none. */
const char *viommu_cmdline_init(const char *cmdline);
/** Whether @cmdline has @word, and no @undone_by after it (NULL: nothing undoes it). */
bool viommu_cmdline_says(const char *cmdline, const char *word, const char *undone_by);
