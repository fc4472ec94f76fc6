/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boottime: asks the kernel for the time and the boot. */
#include "daemon/process/boottime.h"

#include <systemd/sd-id128.h>
#include <time.h>

uint64_t viommu_boottime_now(void)
{
    struct timespec now = {0};

    clock_gettime(CLOCK_BOOTTIME, &now);
    return MAX((uint64_t)now.tv_sec * G_USEC_PER_SEC + (uint64_t)now.tv_nsec / 1000, 1);
}

const char *viommu_boottime_boot(void)
{
    static char text[SD_ID128_STRING_MAX];
    sd_id128_t boot = SD_ID128_NULL;

    if (!*text) {
        (void)sd_id128_get_boot(&boot);
        sd_id128_to_string(boot, text);
    }
    return text;
}
