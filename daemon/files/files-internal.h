/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files-internal: the files of one request.  Only for files.c, which opens them, and for
 * files-prepare.c, which makes viommud's own files of them. */
#pragma once

#include "daemon/files/boot-copies.h"
#include "daemon/files/files.h"

/* A disk that must not change before it is used; fd -1: any other disk. */
typedef struct ViommuFilesWatched {
    int fd;
    ViommuFileState state;
} ViommuFilesWatched;

struct ViommuFiles {
    const ViommuFilesSite *site;
    const ViommuRequest *request;
    char *uuid, *name;
    ViommuSiteImage *image; /* NULL: the request names none */
    unsigned image_directory;
    ViommuHandovers *handovers;
    int copied[VIOMMU_COPY_LAST]; /* to copy from; -1: none */
    uint64_t copied_bytes[VIOMMU_COPY_LAST];
    GArray *disks;    /* of int: to pass on; -1: none */
    GArray *watched;  /* of ViommuFilesWatched, one for each disk */
    GArray *overlays; /* of int: those made, open; -1: none */
    unsigned n_backing;
    GPtrArray *backing; /* of GArray of int: the same for the backing files of each disk */
    GBytes *user_data;  /* of the seed; NULL: none of the owner's own */
    ViommuKernel kernel;
    bool kernel_is_known;
};

/* The keys of a request that name what is copied. */
extern const char *const viommu_files_boot_keys[VIOMMU_COPY_LAST];
