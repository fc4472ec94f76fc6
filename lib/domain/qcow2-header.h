/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2-header: reads the header of a disk image: its format and the files that it names.  The
 * bytes are untrusted.  Opens no files, follows no chain. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* As much of an image as is looked at: qcow2 keeps all of this at its beginning. */
#define VIOMMU_IMAGE_HEADER_BYTES (64u * 1024)

typedef struct ViommuImage {
    char *backing;        /* the name as it stands; NULL: none */
    char *backing_format; /* the word as it stands; NULL: not said */
    bool has_data_file;   /* the guest's data are in another file */
    char *data_file;      /* its name; NULL: not said */
} ViommuImage;

/** Reads the header of a qcow2 image from its first @size bytes, VIOMMU_IMAGE_HEADER_BYTES unless
 *  the image is smaller. @ret_image: clear it.  Fails: INVALID_REQUEST when it is no such header,
 *  or has names that QEMU would not take or that lie beyond @size. */
bool viommu_image_read_qcow2(const uint8_t *bytes, size_t size, ViommuImage *ret_image, GError **error);
void viommu_image_clear(ViommuImage *image);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuImage, viommu_image_clear)

/** The path that @name, found in the header of the image at @path, means.  Fails: POLICY_REFUSED
 *  for what is no plain path: "json:", "nbd:" and the like, and "..". Owned, g_free(). */
char *viommu_image_resolve(const char *path, const char *name, GError **error);
/** Whether @path is inside one of @directories, by its text alone.  NULL-terminated list. */
bool viommu_image_is_inside(const char *path, const char *const *directories);
/** Whether a component of @path is "..". */
bool viommu_image_goes_up(const char *path);
