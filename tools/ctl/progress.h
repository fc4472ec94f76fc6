/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* progress: the line that says what a command waits for, and for how long; only on a terminal. */
#pragma once

#include "tools/client/client.h"
#include "tools/ctl/ctl.h"

/* Shown while a wait takes longer than a second.  With @client, also what the machine does: its
 * position in the queue, its state, or the last line of its console. */
typedef struct ViommuCtlProgress {
    ViommuOutput *output;
    const char *what;     /* "launching" */
    ViommuClient *client; /* borrowed; NULL: no machine */
    char *path;           /* of the machine's object; owned; NULL: not known yet */
    const char *name;     /* of a machine that is being launched; borrowed; NULL: not known */
    GHashTable *before;   /* the objects before this launch; owned; NULL: not needed */
    uint64_t asked_usec;  /* how long it had waited when viommud was asked last */
    char *detail;         /* what it answered; owned; NULL: nothing */
} ViommuCtlProgress;

/** A tick of a call; @userdata is a ViommuCtlProgress. */
void viommu_ctl_progress(uint64_t waited_usec, void *userdata);
/** Follows a machine that will be launched by @client, as @name (NULL: viommud makes up a name). */
void viommu_ctl_progress_follow(ViommuCtlProgress *progress, ViommuClient *client, const char *name);
/** Ends the line. */
void viommu_ctl_progress_clear(ViommuCtlProgress *progress);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuCtlProgress, viommu_ctl_progress_clear)
