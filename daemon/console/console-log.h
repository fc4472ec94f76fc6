/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-log: the files that keep the output of guests: names, a bound on each, and which files
 * are deleted.  A file belongs to one machine for ever: its name, UID-NAME-UUID.log, tells the
 * owner when the machine is gone.  Only viommud's user can read it; other users read it through
 * viommud.  Knows no machines, no bus. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/** Owned, g_free(). */
char *viommu_console_log_path(const char *directory, uint32_t uid, const char *name, const char *uuid);
/** Appends to @path, and creates it if needed.  The file never exceeds @limit bytes: its first half
 *  stays, its middle is dropped, and a line says so.  Only file I/O, so the loop may call it.
 *  Fails: BACKEND. */
bool viommu_console_log_append(const char *path, uint64_t limit, const void *data, size_t size,
                               GError **error);
/** The newest log of a machine with this name or UUID, of user @uid or, with NULL, of any user.
 *  Owned; NULL: there is none. */
char *viommu_console_log_find(const char *directory, const char *name, const uint32_t *uid);
/** Opens the log for reading.  Fails: NOT_FOUND; BACKEND. */
bool viommu_console_log_open(const char *path, int *ret_fd, GError **error);

/** Moves the logs of directory @from, which former versions wrote to, to the end of the same
 *  machine's log in @to, where nothing may be appended meanwhile.  Each is moved once and as a
 *  whole, also when this is cut short and done again.  Blocks: for a worker.  A log that cannot be
 *  moved stays.  Fails: BACKEND, and moves no more. */
bool viommu_console_log_take_over(const char *from, const char *to, uint64_t limit, GError **error);

typedef struct ViommuConsoleLogKeep {
    GHashTable *live; /* UUIDs of machines whose logs are kept */
    uint64_t seconds; /* of the rest: keep logs written to within so many seconds */
    uint64_t count;   /* of the rest: keep so many of each owner, the newest */
    /* of all logs together, live ones too, which count for their owner; 0: no limit */
    uint64_t bytes;
} ViommuConsoleLogKeep;

/** Deletes the logs that @keep does not keep.  When all together are too large, the oldest logs of
 *  owners above their share go first.  Blocks: for a worker. */
void viommu_console_log_sweep(const char *directory, const ViommuConsoleLogKeep *keep);
