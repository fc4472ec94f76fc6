/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* silent: a file system that accepts requests and never answers those for a file's bytes. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct Silent {
    char *place;
    int fd;
    GThread *thread;
} Silent;

/** Makes the directory @place, and mounts it there.  @serves: it answers all but reads; else
 *  nothing.  False: this process may not mount, and the function has printed that; end it all the
 *  same. */
bool silent_mount(Silent *silent, const char *place, bool serves);
/** Processes that wait for it continue with an error. */
void silent_end(Silent *silent);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Silent, silent_end)
