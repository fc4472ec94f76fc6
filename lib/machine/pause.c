/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pause: the reasons, and what is said of each. */
#include "lib/machine/pause.h"

#include <glib.h>

VIOMMU_ENUM_DEFINE(pause, "pause", VIOMMU_PAUSE_LAST, "none", "suspended", "io-error", "disk-full", "other");

static const char *const words[] = {
    [VIOMMU_PAUSE_NONE] = "",
    [VIOMMU_PAUSE_SUSPENDED] = "somebody suspended it; \"viommuctl resume\" lets it run again",
    [VIOMMU_PAUSE_IO_ERROR] =
        "the host cannot read or write one of its disks; see the kernel's messages, then run \"viommuctl resume\"",
    [VIOMMU_PAUSE_DISK_FULL] =
        "disk full: the host has no room for what the guest wrote to one of its disks; make room, then run \"viommuctl resume\"",
    [VIOMMU_PAUSE_OTHER] = "libvirt paused it; \"virsh domstate --reason\" says why",
};
G_STATIC_ASSERT(G_N_ELEMENTS(words) == VIOMMU_PAUSE_LAST);

bool viommu_pause_is_trouble(ViommuPause pause)
{
    return pause == VIOMMU_PAUSE_IO_ERROR || pause == VIOMMU_PAUSE_DISK_FULL;
}

const char *viommu_pause_words(ViommuPause pause)
{
    return words[pause];
}
