/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* version: libvirt, QEMU and kernel versions as one number: major * 1000000 + minor * 1000 +
 * micro. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef uint64_t ViommuVersion; /* 0: not known */

#define VIOMMU_VERSION_OF(major, minor, micro) ((ViommuVersion)(major)*1000000 + (minor)*1000 + (micro))

/** Reads "7.2", "9.0.0", "6.12.43+deb13-amd64": two or three numbers below 1000 (major below
 *  1000000), then the end or a character that is neither digit nor letter.  False, *ret untouched,
 *  for anything else. */
bool viommu_version_parse(const char *text, ViommuVersion *ret);
/** "7.2.0". Owned, g_free(). */
char *viommu_version_format(ViommuVersion version);
/** "7.2": without a micro of zero, as people write it in messages. Owned, g_free(). */
char *viommu_version_format_short(ViommuVersion version);
