/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "lib/request/file-handover.h"

static void clear(ViommuHandover *handover)
{
    g_free(handover->path);
    g_free(handover->overlay);
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
    clear(&handovers->seed);
    g_ptr_array_unref(handovers->disks);
    g_free(handovers);
}

GPtrArray *viommu_handover_backing_new(void)
{
    return g_ptr_array_new_with_free_func(free_backing);
}

void viommu_handover_add_backing(GPtrArray *backing, const char *path, ViommuDiskFormat format, bool is_open)
{
    ViommuHandoverBacking *one = g_new(ViommuHandoverBacking, 1);

    *one = (ViommuHandoverBacking){g_strdup(path), format, is_open};
    g_ptr_array_add(backing, one);
}

/* --- Between processes --- */

static GVariant *write_backing(const GPtrArray *backing)
{
    GVariantBuilder builder;

    if (!backing)
        return NULL;
    g_variant_builder_init(&builder, G_VARIANT_TYPE("a(sib)"));
    for (guint i = 0; i < backing->len; i++) {
        const ViommuHandoverBacking *one = g_ptr_array_index(backing, i);

        g_variant_builder_add(&builder, "(sib)", one->path, (gint32)one->format, one->is_open);
    }
    return g_variant_builder_end(&builder);
}

static GVariant *write_one(const ViommuHandover *handover)
{
    return g_variant_new("(ms(bbbb)@ma(sib)mst)", handover->path, handover->is_fixed, handover->is_open,
                         handover->is_block, handover->is_nameless,
                         g_variant_new_maybe(G_VARIANT_TYPE("a(sib)"), write_backing(handover->backing)),
                         handover->overlay, (guint64)handover->overlay_bytes);
}

GVariant *viommu_handovers_to_variant(const ViommuHandovers *handovers)
{
    GVariantBuilder disks;

    g_variant_builder_init(&disks, G_VARIANT_TYPE("a" VIOMMU_HANDOVER_TYPE));
    for (guint i = 0; i < handovers->disks->len; i++)
        g_variant_builder_add_value(&disks, write_one(g_ptr_array_index(handovers->disks, i)));
    return g_variant_new("(@" VIOMMU_HANDOVER_TYPE "@" VIOMMU_HANDOVER_TYPE "@" VIOMMU_HANDOVER_TYPE
                         "@a" VIOMMU_HANDOVER_TYPE ")",
                         write_one(&handovers->kernel), write_one(&handovers->initrd),
                         write_one(&handovers->seed), g_variant_builder_end(&disks));
}

static bool read_backing(GVariant *list, GPtrArray *backing)
{
    GVariantIter iterator;
    const char *path;
    gboolean is_open;
    gint32 format;

    g_variant_iter_init(&iterator, list);
    while (g_variant_iter_next(&iterator, "(&sib)", &path, &format, &is_open)) {
        if (format < 0 || format >= VIOMMU_DISK_FORMAT_LAST)
            return false;
        viommu_handover_add_backing(backing, path, (ViommuDiskFormat)format, is_open);
    }
    return true;
}

static bool read_one(GVariant *value, ViommuHandover *handover)
{
    g_autoptr(GVariant) backing = NULL;
    gboolean is_fixed, is_open, is_block, is_nameless;
    guint64 overlay_bytes;

    g_variant_get(value, "(ms(bbbb)m@a(sib)mst)", &handover->path, &is_fixed, &is_open, &is_block,
                  &is_nameless, &backing, &handover->overlay, &overlay_bytes);
    handover->overlay_bytes = overlay_bytes;
    handover->is_fixed = is_fixed;
    handover->is_open = is_open;
    handover->is_block = is_block;
    handover->is_nameless = is_nameless;
    if (!backing)
        return true;
    handover->backing = viommu_handover_backing_new();
    return read_backing(backing, handover->backing);
}

ViommuHandovers *viommu_handovers_from_variant(GVariant *value)
{
    g_autoptr(ViommuHandovers) handovers = viommu_handovers_new();
    g_autoptr(GVariant) kernel = NULL, initrd = NULL, seed = NULL, disks = NULL;
    bool good;

    if (!g_variant_is_of_type(value, G_VARIANT_TYPE(VIOMMU_HANDOVERS_TYPE)))
        return NULL;
    g_variant_get(value,
                  "(@" VIOMMU_HANDOVER_TYPE "@" VIOMMU_HANDOVER_TYPE "@" VIOMMU_HANDOVER_TYPE
                  "@a" VIOMMU_HANDOVER_TYPE ")",
                  &kernel, &initrd, &seed, &disks);
    good = read_one(kernel, &handovers->kernel) && read_one(initrd, &handovers->initrd) &&
           read_one(seed, &handovers->seed);
    for (gsize i = 0; good && i < g_variant_n_children(disks); i++) {
        g_autoptr(GVariant) disk = g_variant_get_child_value(disks, i);
        ViommuHandover *handover = g_new0(ViommuHandover, 1);

        g_ptr_array_add(handovers->disks, handover);
        good = read_one(disk, handover) && handover->path;
    }
    return good ? g_steal_pointer(&handovers) : NULL;
}
