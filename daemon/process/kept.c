/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/kept.h"

#include <glib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

struct ViommuKept {
    int n; /* descriptors, from SD_LISTEN_FDS_START on */
    char **names;
    bool *taken;
};

ViommuKept *viommu_kept_new(void)
{
    ViommuKept *kept = g_new0(ViommuKept, 1);
    int n = sd_listen_fds_with_names(true, &kept->names);

    kept->n = MAX(n, 0);
    kept->taken = g_new0(bool, (size_t)kept->n + 1);
    return kept;
}

void viommu_kept_free(ViommuKept *kept)
{
    if (!kept)
        return;
    for (int i = 0; i < kept->n; i++)
        if (!kept->taken[i])
            close(SD_LISTEN_FDS_START + i);
    for (char **name = kept->names; name && *name; name++)
        free(*name);
    free(kept->names);
    g_free(kept->taken);
    g_free(kept);
}

int viommu_kept_take(ViommuKept *kept, const char *name)
{
    for (int i = 0; i < kept->n; i++)
        if (!kept->taken[i] && strcmp(kept->names[i], name) == 0) {
            kept->taken[i] = true;
            return SD_LISTEN_FDS_START + i;
        }
    return -1;
}

void viommu_kept_store(const char *name, int fd)
{
    g_autofree char *state = g_strdup_printf("FDSTORE=1\nFDNAME=%s", name);

    (void)sd_pid_notify_with_fds(0, false, state, &fd, 1);
}
