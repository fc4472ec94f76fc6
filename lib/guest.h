/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest: which IOMMU drivers a guest has, from what the request tells of it.  Does not look into images. */
#pragma once

#include "lib/enum.h"
#include "lib/request.h"

typedef enum ViommuDriver {
    VIOMMU_DRIVER_UNKNOWN, /* nothing said */
    VIOMMU_DRIVER_YES,
    VIOMMU_DRIVER_MODULE, /* a module that the stock initramfs lacks: the root disk is not found without it */
    VIOMMU_DRIVER_NO,
    VIOMMU_DRIVER_LAST,
} ViommuDriver;

/** Whether the guest drives @model on @arch.  *ret_why: a sentence naming the key it comes from; owned; NULL when UNKNOWN. */
ViommuDriver viommu_guest_driver(const ViommuRequest *request, ViommuArch arch, ViommuModel model,
                                 char **ret_why);
/** A word of guest.drivers: a model's name, or its kernel driver's ("virtio-iommu", "arm-smmu-v3", ...). */
int viommu_guest_driver_model(const char *word);
/** The known guest.os nearest to @os, or NULL. *ret_known tells whether @os itself is known. Static. */
const char *viommu_guest_nearest_os(const char *os, bool *ret_known);
