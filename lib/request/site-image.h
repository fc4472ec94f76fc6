/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* site-image: what the site says of one of its images, in the file NAME.image in an image
 * directory.  Reads and prints the text of that file, and merges it into a request.  Opens no
 * file. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "lib/request/request.h"

#define VIOMMU_SITE_IMAGE_SUFFIX   ".image"
#define VIOMMU_SITE_IMAGE_TEXT_MAX 65536u /* bytes of the file */

/* The keys of group [image], each with the same name. */
typedef struct ViommuSiteImage {
    char *file;   /* required: a name in the directory of NAME.image */
    int format;   /* ViommuDiskFormat; required */
    char *os;     /* as guest.os; NULL: not said */
    int arch;     /* ViommuArch */
    int firmware; /* ViommuFirmware */
    char *user;   /* whose keys a seed gives; NULL: not said */
    int agent;    /* flag: it runs qemu-guest-agent */
    int seed;     /* ViommuSeedBy */
    char *digest; /* of the file; NULL: not said */
} ViommuSiteImage;

/** "NAME.image".  Owned, g_free(). */
char *viommu_site_image_file_name(const char *name);

/** Reads @size bytes of such a file.  Owned.  Fails: INVALID_REQUEST, and names the key: a key or a
 *  group is unknown, a key is given twice, a value is not valid. */
ViommuSiteImage *viommu_site_image_parse(const char *text, size_t size, GError **error);
/** The text of such a file: what viommu_site_image_parse() reads as the same.  Owned, g_free(). */
char *viommu_site_image_print(const ViommuSiteImage *image);
void viommu_site_image_free(ViommuSiteImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuSiteImage, viommu_site_image_free)

/** The same between processes, a floating a{sv}. */
GVariant *viommu_site_image_to_variant(const ViommuSiteImage *image);
/** Fails: INVALID_REQUEST, like viommu_site_image_parse().  Owned. */
ViommuSiteImage *viommu_site_image_from_variant(GVariant *tree, GError **error);

/** Puts what @image, from @directory, says into @request, which names it: the file as an overlay
 *  disk, and defaults of arch, guest.os, guest.agent, boot.firmware, seed.by, seed.user and
 *  disks[0].digest; what the request says wins.  viommu_request_text() and the fingerprint stay
 *  those of the request as it was.  Call it once.  Fails: INVALID_REQUEST, when the two contradict
 *  each other; @request is then partly changed: free it. */
bool viommu_site_image_merge(const ViommuSiteImage *image, const char *directory, ViommuRequest *request,
                             GError **error);
