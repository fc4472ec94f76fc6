/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* host-size: sysinfo, sysconf and statvfs. */
#include "daemon/process/host-size.h"

#include <glib.h>
#include <sys/statvfs.h>
#include <sys/sysinfo.h>
#include <unistd.h>

/* The size of the file system that @path is on, or will be. */
static uint64_t disk_bytes(const char *path)
{
    g_autofree char *at = g_strdup(path);
    struct statvfs info;

    while (statvfs(at, &info) < 0) {
        char *parent = g_path_get_dirname(at);
        bool top = g_str_equal(parent, at);

        g_free(at);
        at = parent;
        if (top)
            return 0;
    }
    return (uint64_t)info.f_blocks * info.f_frsize;
}

void viommu_hostsize_measure(const char *copies, const char *logs, bool is_local, ViommuBoundsHost *ret_host)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    struct sysinfo info;

    *ret_host =
        (ViommuBoundsHost){.copies_disk_bytes = disk_bytes(copies), .logs_disk_bytes = disk_bytes(logs)};
    if (!is_local)
        return;
    ret_host->cpus = cpus > 0 ? (uint64_t)cpus : 1;
    if (sysinfo(&info) == 0)
        ret_host->memory_bytes = (uint64_t)info.totalram * info.mem_unit;
}
