/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tests/fuzz/files.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

/* Where to make them, so that the caller of a target that aborts can remove what is left. */
#define PLACE  "VIOMMU_FUZZ_FILES"
#define MEMORY "/dev/shm"
/* The directory is removed by paths, whose length is limited. */
#define DEPTH_MAX  24
#define PATH_BYTES 1024

void fuzz_files_begin(FuzzFiles *files)
{
    const char *place = g_getenv(PLACE);
    int n = snprintf(files->path, sizeof(files->path), "%s/viommu-fuzz-XXXXXX",
                     place                       ? place
                     : access(MEMORY, W_OK) == 0 ? MEMORY
                                                 : "/tmp");

    fuzz_check(n < (int)sizeof(files->path));
    fuzz_check(mkdtemp(files->path));
    files->fd = open(files->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    fuzz_check(files->fd >= 0);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *walk)
{
    return remove(path);
}

void fuzz_files_end(FuzzFiles *files)
{
    close(files->fd);
    fuzz_check(nftw(files->path, remove_entry, 8, FTW_DEPTH | FTW_PHYS) == 0);
}

/* The directory of the last of @parts, for the caller to close; -1: there is none. */
static int make_parent(const FuzzFiles *files, char **parts)
{
    int fd = openat(files->fd, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    for (char **part = parts; fd >= 0 && *(part + 1); part++) {
        int above = fd;

        if (!**part || g_str_equal(*part, "."))
            continue;
        fd = -1;
        if (!g_str_equal(*part, "..")) {
            (void)mkdirat(above, *part, 0755);
            fd = openat(above, *part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        }
        close(above);
    }
    return fd;
}

/* *ret_name: owned. */
static int open_parent(const FuzzFiles *files, const char *path, char **ret_name)
{
    g_auto(GStrv) parts = g_strsplit(path, "/", -1);
    guint n = g_strv_length(parts);

    if (n == 0 || n > DEPTH_MAX || strlen(path) > PATH_BYTES)
        return -1;
    *ret_name = g_strdup(parts[n - 1]);
    return make_parent(files, parts);
}

void fuzz_files_add(const FuzzFiles *files, const char *path, const void *data, size_t size)
{
    g_autofree char *name = NULL;
    int parent = open_parent(files, path, &name), fd;

    if (parent < 0)
        return;
    fd = openat(parent, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0644);
    close(parent);
    if (fd < 0)
        return;
    fuzz_check(write(fd, data, size) == (ssize_t)size);
    close(fd);
}

void fuzz_files_add_link(const FuzzFiles *files, const char *path, const char *target)
{
    g_autofree char *name = NULL;
    int parent = open_parent(files, path, &name);

    if (parent < 0)
        return;
    (void)!symlinkat(target, parent, name);
    close(parent);
}

void fuzz_files_add_pipe(const FuzzFiles *files, const char *path)
{
    g_autofree char *name = NULL;
    int parent = open_parent(files, path, &name);

    if (parent < 0)
        return;
    (void)mkfifoat(parent, name, 0644);
    close(parent);
}
