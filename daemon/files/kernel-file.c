/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kernel-file: reads pieces of the image, and a bounded text.  An unreadable file is not an error:
 * libvirt will report it better. */
#include "daemon/files/kernel-file.h"

#include <fcntl.h>
#include <glib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IMAGE_MAX  ((off_t)128 << 20)
#define PIECE      ((size_t)1 << 20)
#define CONFIG_MAX (1u << 20)

static size_t read_piece(int fd, uint8_t *bytes, off_t offset)
{
    size_t length = 0;
    ssize_t n = 1;

    while (length < PIECE && n > 0) {
        n = pread(fd, bytes + length, PIECE - length, offset + (off_t)length);
        length += n > 0 ? (size_t)n : 0;
    }
    return length;
}

/* Never mapped: the sender of the descriptor can shorten the file, and reading beyond its end would
 * kill the daemon. */
static bool read_image(int fd, ViommuKernel *kernel)
{
    g_autofree uint8_t *bytes = g_malloc(PIECE);
    struct stat info;
    size_t n;

    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        return false;
    n = read_piece(fd, bytes, 0);
    viommu_kernel_read_page_size(kernel, bytes, n);
    if (viommu_kernel_read_image(kernel, bytes, n))
        return true;
    if (!viommu_kernel_is_arm64(bytes, n))
        return false;
    for (off_t at = 0; n == PIECE && at < IMAGE_MAX;) {
        at += PIECE - VIOMMU_KERNEL_BANNER_MAX;
        n = read_piece(fd, bytes, at);
        if (viommu_kernel_read_banner(kernel, bytes, n))
            return true;
    }
    return false;
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
