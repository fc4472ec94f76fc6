/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/handover.h"

static void clear(ViommuHandover *handover)
{
    g_free(handover->path);
    g_clear_pointer(&handover->backing, g_ptr_array_unref);
}

static void free_disk(void *data)
{
    clear(data);
    g_free(data);
}

static void free_backing(void *data)
{
    ViommuHandoverBacking *backing = data;

    g_free(backing->path);
    g_free(backing);
}

ViommuHandovers *viommu_handovers_new(void)
{
    ViommuHandovers *handovers = g_new0(ViommuHandovers, 1);

    handovers->disks = g_ptr_array_new_with_free_func(free_disk);
    return handovers;
}

void viommu_handovers_free(ViommuHandovers *handovers)
{
    if (!handovers)
        return;
    clear(&handovers->kernel);
    clear(&handovers->initrd);
    g_ptr_array_unref(handovers->disks);
    g_free(handovers);
}

GPtrArray *viommu_handover_backing_new(void)
{
    return g_ptr_array_new_with_free_func(free_backing);
}

void viommu_handover_add_backing(GPtrArray *backing, const char *path, ViommuDiskFormat format)
{
    ViommuHandoverBacking *one = g_new(ViommuHandoverBacking, 1);

    *one = (ViommuHandoverBacking){g_strdup(path), format};
    g_ptr_array_add(backing, one);
}
