/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copies: DIRECTORY/UUID.NAME.  They are root's to hand to QEMU, as libvirt does, and nobody else's to read. */
#include "daemon/copies.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/sendfile.h>
#include <unistd.h>
#include "lib/error.h"

#define UUID_LENGTH 36
/* Larger than any kernel or initrd that a machine could boot. */
#define BYTES_MAX ((off_t)4 << 30)
#define CHUNK     ((size_t)16 << 20)

static const char *const names[] = {[VIOMMU_COPY_KERNEL] = "kernel", [VIOMMU_COPY_INITRD] = "initrd"};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == VIOMMU_COPY_LAST);

char *viommu_copies_path(const char *directory, const char *uuid, ViommuCopy what)
{
    return g_strdup_printf("%s/%s.%s", directory, uuid, names[what]);
}

/* Shares the blocks where the file systems can.  As the system call: how much; 0 at the end. */
static ssize_t copy_some(int from, int to, off_t *at)
{
    ssize_t n = copy_file_range(from, at, to, NULL, CHUNK, 0);

    if (n >= 0 || (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP))
        return n;
    return sendfile(to, from, at, CHUNK);
}

static bool copy_all(int from, int to, const char *path, GError **error)
{
    off_t at = 0;
    ssize_t n;

    while ((n = copy_some(from, to, &at)) > 0 && at <= BYTES_MAX)
        ;
    if (n < 0)
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "cannot copy it to '%s': %s", path,
                    g_strerror(errno));
    else if (at == 0)
        g_set_error_literal(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST, "it is empty");
    else if (at > BYTES_MAX)
        g_set_error_literal(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST, "it is larger than 4 GiB");
    return n == 0 && at > 0 && at <= BYTES_MAX;
}

bool viommu_copies_make(const char *directory, const char *uuid, ViommuCopy what, int fd, GError **error)
{
    g_autofree char *path = viommu_copies_path(directory, uuid, what);
    bool ok;
    int to;

    /* QEMU's user goes through; nobody sees what is there. */
    if (g_mkdir_with_parents(directory, 0711) < 0 && errno != EEXIST)
        to = -1;
    else
        to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0) {
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "cannot make the copy '%s': %s", path,
                    g_strerror(errno));
        return false;
    }
    ok = copy_all(fd, to, path, error);
    close(to);
    return ok;
}

bool viommu_copies_remove(const char *directory, const char *uuid, GError **error)
{
    for (int i = 0; i < VIOMMU_COPY_LAST; i++) {
        g_autofree char *path = viommu_copies_path(directory, uuid, (ViommuCopy)i);

        if (g_unlink(path) == 0 || errno == ENOENT || errno == ENOTDIR)
            continue;
        g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INTERNAL, "cannot delete the copy '%s': %s", path,
                    g_strerror(errno));
        return false;
    }
    return true;
}

GPtrArray *viommu_copies_list(const char *directory)
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    GPtrArray *uuids = g_ptr_array_new_with_free_func(g_free);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *uuid = g_strndup(name, UUID_LENGTH);

        if (g_uuid_string_is_valid(uuid) && name[UUID_LENGTH] == '.')
            g_ptr_array_add(uuids, g_steal_pointer(&uuid));
    }
    return uuids;
}
