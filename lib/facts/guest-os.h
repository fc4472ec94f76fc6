/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-os: what the kernels of known distributions have for each IOMMU model, each row with its
 * source. Does not know requests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "lib/base/platform.h"

/* What a kernel has for a model. */
typedef enum ViommuDriver {
    VIOMMU_DRIVER_UNKNOWN, /* nothing said */
    VIOMMU_DRIVER_YES,
    /* built in, but asleep unless the kernel's command line wakes it (intel_iommu=on) */
    VIOMMU_DRIVER_OFF,
    /* a module that the stock initramfs lacks: the root disk is not found without it */
    VIOMMU_DRIVER_MODULE,
    VIOMMU_DRIVER_NO,
    VIOMMU_DRIVER_LAST,
} ViommuDriver;

typedef struct ViommuGuestOs {
    const char *name;
    const char *aliases; /* words; NULL: none */
    ViommuDriver intel, amd, smmuv3, virtio_x86_64, virtio_aarch64;
    const char *source;
    unsigned aarch64_page_kib; /* of its kernel's pages; 0: not known.  x86_64 has 4 */
    /* names without a release that mean this row: the newest that is known; NULL: none */
    const char *newest_of;
    const char *advice; /* what to say where no kernel could be looked at; NULL: nothing */
    bool any_release;   /* the row is for every release of its name: "nixos-24.05" */
    bool windows;       /* no Linux: texts about Linux kernels do not apply */
} ViommuGuestOs;

/** The row of @name, of an alias, or of a name that libosinfo uses ("win11", "sles15sp6").  A minor
 *  release without a row has the row of its major one: "rhel9.4" that of "rhel9", "rhel9.4-64k"
 *  that of "rhel9-64k".  Static; NULL: unknown. */
const ViommuGuestOs *viommu_guest_os_find(const char *name);
/** Whether @name has no release, and the row is only the newest one that is known. */
bool viommu_guest_os_is_newest(const ViommuGuestOs *os, const char *name);
/** The known name nearest to @name, or NULL. Static. */
const char *viommu_guest_os_nearest(const char *name);
/** Row @index, for those who show the table; NULL after the last. Static. */
const ViommuGuestOs *viommu_guest_os_row(size_t index);
ViommuDriver viommu_guest_os_driver(const ViommuGuestOs *os, ViommuArch arch, ViommuModel model);
/** The page size of its kernel on aarch64; 0: not known. */
uint64_t viommu_guest_os_page_bytes(const ViommuGuestOs *os);
/** The model that a kernel's driver drives, by the driver's name ("virtio-iommu", "arm-smmu-v3",
 *  ...) or by the model's own; VIOMMU_UNSET: no driver of an IOMMU. */
int viommu_guest_os_driver_model(const char *word);
