/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* named-image: finds NAME.image, what the site says of an image, in the image directories, and
 * reads it.  Does not know requests; does not open the image. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/request/site-image.h"

typedef struct ViommuImagePlaces {
    const char *const *directories; /* searched in this order */
    bool own;                       /* of a user's own viommud: files are opened as they are */
} ViommuImagePlaces;

/** The directories to search: those of [files] image-directories, and before them, for a user's own
 *  viommud, the one of that user.  Owned, g_strfreev(). */
char **viommu_named_image_directories(const char *const *configured, bool own);

/** Reads NAME.image at @path.  Unless it is a user's @own, only root, this process's user and the
 *  service's (viommu) may be able to change it.  Blocks.  Owned.  Fails, and names the file:
 *  INVALID_REQUEST when it is not valid; POLICY_REFUSED when others can change it. */
ViommuSiteImage *viommu_named_image_read_file(const char *path, bool own, GError **error);
/** Reads the first NAME.image that exists.  @name was checked: it is no path.  Blocks.
 *  *ret_directory: its index.  Owned.  Fails as viommu_named_image_read_file() does, and also when
 *  there is none; names the image, too. */
ViommuSiteImage *viommu_named_image_read(const ViommuImagePlaces *places, const char *name,
                                         unsigned *ret_directory, GError **error);
