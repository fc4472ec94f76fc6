/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-look: what a disk image shows without being booted: its format, the image that it is based
 * on, and what its partition table says of its firmware and architecture.  The bytes are untrusted:
 * reads a bounded part of the one file, and follows no name in it. */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct ViommuImageLook {
    int format;    /* ViommuDiskFormat */
    char *backing; /* as the header names it; NULL: none */
    int firmware;  /* VIOMMU_FIRMWARE_EFI: BIOS cannot boot it; VIOMMU_UNSET: not known */
    int arch;      /* ViommuArch, of the root partition's type; VIOMMU_UNSET: not known */
} ViommuImageLook;

/** Looks into @fd, a regular file.  @format: of ViommuDiskFormat, what the caller says;
 *  VIOMMU_UNSET: nothing.  @ret_look: clear it.  Fails: INVALID_REQUEST for an image that viommud
 *  does not boot: another format, encrypted, data in another file; and for one without a partition
 *  table, unless the caller says that it is raw. */
bool viommu_image_look(int fd, int format, ViommuImageLook *ret_look, GError **error);
/** The image at @path may be based on another one only if that is in one of @directories (NULL:
 *  none).  Fails: POLICY_REFUSED. */
bool viommu_image_look_check_backing(const ViommuImageLook *look, const char *path, char **directories,
                                     GError **error);
void viommu_image_look_clear(ViommuImageLook *look);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuImageLook, viommu_image_look_clear)
