/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-log: the files that keep what guests print: names, a bound on each, and which of them go.
 * A file is its machine's for ever, named UID-NAME-UUID.log, so that its owner is known when the
 * machine is gone; only this user reads it, and others through us.  Knows no machines, no bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** Owned, g_free(). */
char *viommu_console_log_path(const char *directory, uint32_t uid, const char *name, const char *uuid);
/** Appends to @path, which is made when it is not there.  It never gets larger than @limit bytes:
 *  then its middle is left out, its first half stays, and a line says so.  Does not wait, as files
 *  go: for the loop.  Fails: BACKEND. */
bool viommu_console_log_append(const char *path, uint64_t limit, const void *data, size_t size,
                               GError **error);
/** The newest log of a machine of this name or UUID, of @uid or, NULL, of anybody.  Owned; NULL:
 *  there is none. */
char *viommu_console_log_find(const char *directory, const char *name, const uint32_t *uid);
/** For reading.  Fails: NOT_FOUND; BACKEND. */
bool viommu_console_log_open(const char *path, int *ret_fd, GError **error);

/** Moves the logs of directory @from, which former versions wrote to, to the end of the same
 *  machine's log in @to.  Blocks: for the start.  A log that cannot be moved stays.  Fails:
 *  BACKEND, and moves no more. */
bool viommu_console_log_take_over(const char *from, const char *to, uint64_t limit, GError **error);

typedef struct ViommuConsoleLogKeep {
    GHashTable *live; /* UUIDs whose logs stay */
    uint64_t seconds; /* of the rest, what was written to so recently */
    uint64_t count;   /* of the rest, so many of each owner: the newest */
    uint64_t bytes;   /* of all logs together, those that stay in any case too; 0: any number */
} ViommuConsoleLogKeep;

/** Deletes what is not to be kept.  When all together are too much, those go first that are the
 *  oldest of owners who have more than their part.  Blocks: for a worker. */
void viommu_console_log_sweep(const char *directory, const ViommuConsoleLogKeep *keep);
