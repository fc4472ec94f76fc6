/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause: why a guest that has not ended does not run.  Knows neither libvirt's reasons nor what
 * follows from them. */
#pragma once

#include <stdbool.h>
#include "lib/base/enum.h"

typedef enum ViommuPause {
    VIOMMU_PAUSE_NONE,      /* it is not paused */
    VIOMMU_PAUSE_SUSPENDED, /* somebody suspended it ("viommuctl suspend") */
    VIOMMU_PAUSE_IO_ERROR,  /* a disk failed, and the guest waits for it */
    VIOMMU_PAUSE_DISK_FULL, /* the same, because the host has no room for the disk's data */
    VIOMMU_PAUSE_OTHER,     /* another reason of libvirt's */
    VIOMMU_PAUSE_LAST,
} ViommuPause;
extern const ViommuEnum viommu_enum_pause;

/** Whether it does not run on before somebody mends the host. */
bool viommu_pause_is_trouble(ViommuPause pause);
/** The reason and what to do, for a sentence behind a colon; "" for NONE.  Static. */
const char *viommu_pause_words(ViommuPause pause);
