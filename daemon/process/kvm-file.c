/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/process/kvm-file.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERDICT_FILE "kvm-verdict"

char *viommu_kvm_file_read(const char *path, size_t max, size_t *ret_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    g_autofree char *text = g_malloc(max + 1);
    struct stat info;
    size_t size = 0;
    ssize_t n = 1;

    if (fd < 0)
        return NULL;
    if (fstat(fd, &info) < 0 || !S_ISREG(info.st_mode))
        n = -1;
    while (n > 0 && size < max) {
        n = read(fd, text + size, max - size);
        size += n > 0 ? (size_t)n : 0;
    }
    close(fd);
    if (n < 0)
        return NULL;
    text[size] = '\0';
    *ret_size = size;
    return g_steal_pointer(&text);
}

char *viommu_kvm_directory(bool user)
{
    const char *given = g_getenv("STATE_DIRECTORY");

    if (given && *given)
        return g_strdup(given);
    return user ? g_build_filename(g_get_user_data_dir(), "viommud", NULL) : g_strdup("/var/lib/viommu");
}

ViommuKvmVerdict *viommu_kvm_recall(const char *directory, const char *stamp)
{
    g_autofree char *path = g_build_filename(directory, VERDICT_FILE, NULL);
    size_t size = 0;
    g_autofree char *text = viommu_kvm_file_read(path, VIOMMU_KVM_TEXT_MAX + 1, &size);

    return text ? viommu_kvm_verdict_parse(text, size, stamp) : NULL;
}

bool viommu_kvm_remember(const char *directory, const ViommuKvmVerdict *verdict, const char *stamp)
{
    g_autofree char *path = g_build_filename(directory, VERDICT_FILE, NULL);
    g_autofree char *text = viommu_kvm_verdict_format(verdict, stamp);

    /* Every user's viommuctl may read it. */
    return (g_mkdir_with_parents(directory, 0711) == 0) && g_file_set_contents(path, text, -1, NULL) &&
           g_chmod(path, 0644) == 0;
}
