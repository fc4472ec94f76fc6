/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* last-words: the end of a console's log. */
#pragma once

#include "tools/ctl/machine.h"

/** The last lines of the console of machine @name, clean and separated by newlines.  Owned; NULL if
 *  there are none, or the log cannot be had, as from another host. */
char *viommu_ctl_console_tail(ViommuClient *client, const char *name);
/** Prints them on standard error; @properties are those of the machine. */
void viommu_ctl_last_words(const ViommuCtl *ctl, ViommuClient *client, GVariant *properties);
