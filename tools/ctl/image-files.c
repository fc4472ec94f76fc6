/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-files: a list of directories, whose files are read as for a launch. */
#include "tools/ctl/image-files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/files/named-image.h"
#include "lib/base/error.h"
#include "lib/request/request-check.h"

static void file_free(void *data)
{
    ViommuImageFile *file = data;

    g_free(file->name);
    g_free(file->directory);
    g_clear_pointer(&file->image, viommu_site_image_free);
    g_clear_error(&file->error);
    g_free(file);
}

static ViommuImageFile *read_file(const char *directory, const char *name, bool own)
{
    g_autofree char *leaf = viommu_site_image_file_name(name),
                    *path = g_build_filename(directory, leaf, NULL);
    g_autofree char *image = NULL;
    ViommuImageFile *file = g_new0(ViommuImageFile, 1);
    struct stat info;

    file->name = g_strdup(name);
    file->directory = g_strdup(directory);
    file->image = viommu_named_image_read_file(path, own, &file->error);
    if (!file->image)
        return file;
    image = g_build_filename(directory, file->image->file, NULL);
    if (stat(image, &info) < 0)
        viommu_fail(&file->error, VIOMMU_ERROR_INVALID_REQUEST, "'%s': file '%s': %s", path, image,
                    g_strerror(errno));
    return file;
}

static bool is_listed(const GPtrArray *files, const char *name)
{
    for (guint i = 0; i < files->len; i++)
        if (g_str_equal(((const ViommuImageFile *)files->pdata[i])->name, name))
            return true;
    return false;
}

static void list_directory(const char *directory, bool own, GPtrArray *files)
{
    GDir *listing = g_dir_open(directory, 0, NULL);

    for (const char *leaf; listing && (leaf = g_dir_read_name(listing));) {
        g_autofree char *name = g_strdup(leaf);

        if (!g_str_has_suffix(leaf, VIOMMU_SITE_IMAGE_SUFFIX))
            continue;
        name[strlen(name) - strlen(VIOMMU_SITE_IMAGE_SUFFIX)] = '\0';
        if (viommu_request_image_is_valid(name) && !is_listed(files, name))
            g_ptr_array_add(files, read_file(directory, name, own));
    }
    g_clear_pointer(&listing, g_dir_close);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(ViommuImageFile *const *)a)->name, (*(ViommuImageFile *const *)b)->name);
}

GPtrArray *viommu_image_files_list(char **directories, bool own)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(file_free);

    for (; directories && *directories; directories++)
        list_directory(*directories, own, files);
    g_ptr_array_sort(files, compare_names);
    return files;
}
