/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel: what the image and the configuration file of a Linux kernel show.  Reads bytes, opens no
 * files. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include "lib/facts/guest-os.h"
#include "lib/base/version.h"

typedef struct ViommuKernel {
    char release[65];      /* like uname -r; "": not found in the image */
    ViommuVersion version; /* 0: not known */
    bool configured;       /* a configuration was read, and drivers[] is from it */
    ViommuDriver drivers[VIOMMU_MODEL_LAST];
    uint64_t page_bytes; /* of an arm64 kernel; 0: not known */
} ViommuKernel;

/** Finds the release in an image: in the header of an x86 bzImage
 *  (Documentation/arch/x86/boot.rst), or in the banner of an uncompressed arm64 Image.  False,
 *  *kernel untouched: a compressed image, or no kernel. */
bool viommu_kernel_read_image(ViommuKernel *kernel, const uint8_t *bytes, size_t n);
/** Whether @bytes begin an uncompressed arm64 Image, whose banner comes later. */
bool viommu_kernel_is_arm64(const uint8_t *bytes, size_t n);
/** Takes the page size from the header of an arm64 Image (Documentation/arch/arm64/booting.rst);
 *  *kernel untouched: the header has none, or is of another kind. */
void viommu_kernel_read_page_size(ViommuKernel *kernel, const uint8_t *bytes, size_t n);
/** Finds the banner ("Linux version 6.1.0 ...") in a piece of an image.  False, *kernel untouched:
 *  it is not there, or not complete; so pieces must overlap by VIOMMU_KERNEL_BANNER_MAX. */
bool viommu_kernel_read_banner(ViommuKernel *kernel, const uint8_t *bytes, size_t n);
#define VIOMMU_KERNEL_BANNER_MAX 128u
/** Takes the drivers from the text of a configuration file.  False, *kernel untouched: it is not
 *  one. */
bool viommu_kernel_read_config(ViommuKernel *kernel, const char *text, size_t n);

/* Between processes: the type of viommu_kernel_to_variant()'s value.  Add each new member of the
 * struct. */
#define VIOMMU_KERNEL_TYPE "(stbait)"

/** Floating, of that type. */
GVariant *viommu_kernel_to_variant(const ViommuKernel *kernel);
/** Reads what another process wrote; that process handles an untrusted file.  False, *kernel
 *  untouched: the value is invalid. */
bool viommu_kernel_from_variant(GVariant *value, ViommuKernel *kernel);
