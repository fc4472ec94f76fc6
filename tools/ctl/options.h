/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options: the tables of verbs and options, the parser of the command line, and the help. */
#pragma once

#include "tools/ctl/ctl.h"

/* Whether a verb takes "-- COMMAND...".  Without the "--", what follows the first word is the
 * command. */
typedef enum ViommuCtlCommand {
    VIOMMU_CTL_COMMAND_NONE,
    VIOMMU_CTL_COMMAND_MAY,
    VIOMMU_CTL_COMMAND_MUST,
} ViommuCtlCommand;

typedef struct ViommuCtlVerbRow {
    const char *name;
    int min_words, max_words; /* without those of a command */
    const char *words;        /* as in the usage line */
    ViommuCtlCommand command;
    ViommuCtlVerb run;
    const char *help;
} ViommuCtlVerbRow;

/** Parses the command line, with options before, between and after the words.  @ret_verb: NULL if
 *  there is none, or for help and version, which @ctl shows.  Fails: USAGE naming the word. */
bool viommu_ctl_parse(ViommuCtl *ctl, int argc, char **argv, const ViommuCtlVerbRow **ret_verb,
                      GError **error);
/** @verb NULL: all verbs. Owned. */
char *viommu_ctl_help(const ViommuCtlVerbRow *verb);
