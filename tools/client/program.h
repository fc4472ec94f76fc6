/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* program: runs a program that nobody sees, such as ssh(1), and gathers what it says is wrong.
 * Knows no program. */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* No exit status: it could not be run, a signal ended it, or it was given up. */
#define VIOMMU_PROGRAM_NO_STATUS (-1)

typedef struct ViommuProgramTurn {
    /* asked about each second; false: the program is killed.  NULL: it may take any time */
    bool (*goes_on)(void *userdata);
    void *userdata;
} ViommuProgramTurn;

/** Runs @words (NULL-terminated, found by $PATH) without input, and waits for it.  Returns its exit
 *  status, or VIOMMU_PROGRAM_NO_STATUS.  *ret_said: the first lines that it printed as errors, or
 *  why it could not be run; owned, g_free(). */
int viommu_program_run(char *const *words, const ViommuProgramTurn *turn, char **ret_said);
