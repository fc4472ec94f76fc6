/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* qcow2-header: reads the header of a disk image: its format and the files that it names.  The
 * bytes are untrusted.  Opens no files, and follows no chain. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* The part of an image that is read: a qcow2 image has all of this at its beginning. */
#define VIOMMU_IMAGE_HEADER_BYTES (64u * 1024)

typedef struct ViommuImage {
    char *backing;        /* the name as in the header; NULL: none */
    char *backing_format; /* the word as in the header; NULL: none */
    bool has_data_file;   /* the guest's data are in another file */
    char *data_file;      /* its name; NULL: the header has none */
    uint64_t bytes;       /* what a guest sees of it; any number, as the header has it */
} ViommuImage;

/** Reads the header of a qcow2 image from its first @size bytes, VIOMMU_IMAGE_HEADER_BYTES unless
 *  the image is smaller.  @ret_image: clear it.  Fails: INVALID_REQUEST when the header is invalid,
 *  or has names that QEMU would not use or that lie beyond @size. */
bool viommu_image_read_qcow2(const uint8_t *bytes, size_t size, ViommuImage *ret_image, GError **error);
void viommu_image_clear(ViommuImage *image);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuImage, viommu_image_clear)

/** The path that @name, from the header of the image at @path, refers to.  Fails: POLICY_REFUSED
 *  when @name is not a plain path ("json:", "nbd:" and the like), or has "..".  Owned, g_free(). */
char *viommu_image_resolve(const char *path, const char *name, GError **error);
/** Whether @path is inside one of @directories, by its text alone.  The list ends with NULL. */
bool viommu_image_is_inside(const char *path, const char *const *directories);
/** Whether a component of @path is "..". */
bool viommu_image_goes_up(const char *path);
