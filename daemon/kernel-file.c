/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel-file: a mapping of the image, a bounded read of the text.  What cannot be read is not known; it is never an
 * error, as libvirt will say it better. */
#include "daemon/kernel-file.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MAX  (128u << 20)
#define CONFIG_MAX (1u << 20)

static bool read_image(int fd, ViommuKernel *kernel)
{
    struct stat info;
    uint8_t *bytes;
    size_t n;
    bool found;

    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_size <= 0)
        return false;
    n = MIN((size_t)info.st_size, IMAGE_MAX);
    bytes = mmap(NULL, n, PROT_READ, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED)
        return false;
    found = viommu_kernel_read_image(kernel, bytes, n);
    munmap(bytes, n);
    return found;
}

static bool read_config(const char *path, ViommuKernel *kernel)
{
    g_autofree char *text = g_malloc(CONFIG_MAX);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat info;
    size_t length = 0;
    ssize_t n = 1;

    if (fd < 0)
        return false;
    while (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && length < CONFIG_MAX && n > 0) {
        n = read(fd, text + length, CONFIG_MAX - length);
        length += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    return viommu_kernel_read_config(kernel, text, length);
}

static char *config_beside(const char *path, const char *release)
{
    static const char *const names[] = {"vmlinuz", "vmlinux", "Image"};
    g_autofree char *directory = g_path_get_dirname(path), *base = g_path_get_basename(path);

    for (size_t i = 0; i < G_N_ELEMENTS(names); i++)
        if (g_str_has_prefix(base, names[i]))
            return g_strdup_printf("%s/config%s", directory, base + strlen(names[i]));
    return *release ? g_strdup_printf("%s/config-%s", directory, release) : NULL;
}

bool viommu_kernel_file_read(int fd, const char *path, ViommuKernel *kernel)
{
    ViommuKernel read = {0};
    bool known = read_image(fd, &read);
    g_autofree char *config = path ? config_beside(path, read.release) : NULL;

    known = (config && read_config(config, &read)) || known;
    if (known)
        *kernel = read;
    return known;
}

bool viommu_kernel_file_read_path(const char *path, ViommuKernel *kernel)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    bool known;

    if (fd < 0)
        return false;
    known = viommu_kernel_file_read(fd, path, kernel);
    close(fd);
    return known;
}
