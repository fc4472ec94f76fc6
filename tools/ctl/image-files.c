/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-files: a list of directories, and a bounded read of each file. */
#include "tools/ctl/image-files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* A FIFO must not make the caller wait, and a link may lead anywhere. */
static int open_text(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    struct stat info;

    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode))
        return fd;
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s': %s", path,
                fd < 0 ? g_strerror(errno) : "it is not a regular file");
    if (fd >= 0)
        close(fd);
    return -1;
}

static ViommuSiteImage *read_image(const char *path, GError **error)
{
    g_autofree char *text = g_malloc(VIOMMU_SITE_IMAGE_TEXT_MAX + 1);
    int fd = open_text(path, error);
    ViommuSiteImage *image;
    size_t size = 0;
    ssize_t n = 0;

    if (fd < 0)
        return NULL;
    while (size <= VIOMMU_SITE_IMAGE_TEXT_MAX &&
           (n = read(fd, text + size, VIOMMU_SITE_IMAGE_TEXT_MAX + 1 - size)) > 0)
        size += (size_t)n;
    if (n < 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "cannot read '%s': %s", path, g_strerror(errno));
    close(fd);
    if (n < 0)
        return NULL;
    image = viommu_site_image_parse(text, size, error);
    if (!image)
        g_prefix_error(error, "'%s': ", path);
    return image;
}

static ViommuImageFile *read_file(const char *directory, const char *name)
{
    g_autofree char *leaf = viommu_site_image_file_name(name),
                    *path = g_build_filename(directory, leaf, NULL);
    g_autofree char *image = NULL;
    ViommuImageFile *file = g_new0(ViommuImageFile, 1);
    struct stat info;

    file->name = g_strdup(name);
    file->directory = g_strdup(directory);
    file->image = read_image(path, &file->error);
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

static void list_directory(const char *directory, GPtrArray *files)
{
    GDir *listing = g_dir_open(directory, 0, NULL);

    for (const char *leaf; listing && (leaf = g_dir_read_name(listing));) {
        g_autofree char *name = g_strdup(leaf);

        if (!g_str_has_suffix(leaf, VIOMMU_SITE_IMAGE_SUFFIX))
            continue;
        name[strlen(name) - strlen(VIOMMU_SITE_IMAGE_SUFFIX)] = '\0';
        if (viommu_request_image_is_valid(name) && !is_listed(files, name))
            g_ptr_array_add(files, read_file(directory, name));
    }
    g_clear_pointer(&listing, g_dir_close);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp((*(ViommuImageFile *const *)a)->name, (*(ViommuImageFile *const *)b)->name);
}

GPtrArray *viommu_image_files_list(char **directories)
{
    GPtrArray *files = g_ptr_array_new_with_free_func(file_free);

    for (; directories && *directories; directories++)
        list_directory(*directories, files);
    g_ptr_array_sort(files, compare_names);
    return files;
}
