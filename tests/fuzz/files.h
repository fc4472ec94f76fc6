/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: makes the files of an input below a directory of its own, and removes it.  No path or link
 * of the input leads out of that directory: files that would, or cannot be made, are left out. */
#pragma once

#include <stddef.h>

typedef struct FuzzFiles {
    char path[256]; /* the directory */
    int fd;
} FuzzFiles;

/** Makes the directory, in memory if possible. */
void fuzz_files_begin(FuzzFiles *files);
void fuzz_files_end(FuzzFiles *files);

/* @path is relative to the directory; the directories above it are made. */

void fuzz_files_add(const FuzzFiles *files, const char *path, const void *data, size_t size);
/** @target: the text of the link. */
void fuzz_files_add_link(const FuzzFiles *files, const char *path, const char *target);
/** A named pipe, which would block a reader for ever. */
void fuzz_files_add_pipe(const FuzzFiles *files, const char *path);
