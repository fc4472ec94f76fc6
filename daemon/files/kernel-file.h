/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel-file: reads the kernel of a direct boot: its image, and the configuration file beside it.
 * Does not know requests or rights. */
#pragma once

#include <stdbool.h>
#include "lib/guest/kernel.h"

/** Reads the image @fd (not moved, not closed) and, when @path is not NULL, the configuration
 *  beside it: "config-6.1.0-50-amd64" next to "vmlinuz-6.1.0-50-amd64", "config" next to "vmlinuz"
 *  (Fedora), else "config-RELEASE".  Blocks; reads at most some 100 MiB.  False, *kernel untouched:
 *  nothing was learned. */
bool viommu_kernel_file_read(int fd, const char *path, ViommuKernel *kernel);
/** The same by @path, with the rights of this process. */
bool viommu_kernel_file_read_path(const char *path, ViommuKernel *kernel);
