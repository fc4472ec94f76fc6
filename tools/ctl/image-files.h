/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-files: finds the files NAME.image of the site's image directories, and has each read.  Does
 * not open the images themselves. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/request/site-image.h"

typedef struct ViommuImageFile {
    char *name, *directory;
    ViommuSiteImage *image; /* NULL: the file is invalid */
    GError *error;          /* what is wrong with it; NULL: nothing */
} ViommuImageFile;

/** All images of @directories (NULL: none), of ViommuImageFile, sorted by name; of several with one
 *  name, the one in the first directory.  A directory that cannot be read has none.  @own: as a
 *  user's own viommud reads them.  Owned. */
GPtrArray *viommu_image_files_list(char **directories, bool own);
