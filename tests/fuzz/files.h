/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: what an input wants to stand below a directory, which is made for it and goes with it.  No path or link of the input leads out
 * of that directory: what would, and what cannot be made, is not there. */
#pragma once

#include <stddef.h>

typedef struct FuzzFiles {
    char path[256]; /* of the directory */
    int fd;
} FuzzFiles;

/** Makes the directory, in memory where there is a place for that. */
void fuzz_files_begin(FuzzFiles *files);
void fuzz_files_end(FuzzFiles *files);

/* A @path is relative to the directory, and the directories above it are made. */

void fuzz_files_add(const FuzzFiles *files, const char *path, const void *data, size_t size);
/** @target: as the link shall say. */
void fuzz_files_add_link(const FuzzFiles *files, const char *path, const char *target);
/** A named pipe, whose reader would wait for ever. */
void fuzz_files_add_pipe(const FuzzFiles *files, const char *path);
