/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* image-chain: reads one header after the other.  libvirt and QEMU are then told the whole chain
 * and search for none; only the name of an external data file is read by QEMU, when it opens the
 * image. */
#include "daemon/files/image-chain.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include "daemon/files/path-walk.h"
#include "lib/base/error.h"
#include "lib/request/file-handover.h"

#define DEPTH_MAX 16u

typedef ViommuChainImage Link;

static void close_fd(void *fd)
{
    if (*(int *)fd >= 0)
        close(*(int *)fd);
}

GArray *viommu_chain_fds_new(void)
{
    GArray *fds = g_array_new(FALSE, FALSE, sizeof(int));

    g_array_set_clear_func(fds, close_fd);
    return fds;
}

bool viommu_chain_read_header(int fd, ViommuImage *ret_image, GError **error)
{
    g_autofree uint8_t *bytes = g_malloc(VIOMMU_IMAGE_HEADER_BYTES);
    size_t size = 0;
    ssize_t n;

    while ((n = pread(fd, bytes + size, VIOMMU_IMAGE_HEADER_BYTES - size, (off_t)size)) > 0)
        size += (size_t)n;
    if (n < 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot read it: %s",
                           g_strerror(errno));
    return viommu_image_read_qcow2(bytes, size, ret_image, error);
}

/* Only an account is bound to the directories: QEMU of a user's own daemon can open what that user
 * can, and no more. */
static bool is_in_place(const ViommuChainRules *rules, const char *path, GError **error)
{
    g_autofree char *directories = NULL;

    if (!rules->walker.account || viommu_image_is_inside(path, rules->directories))
        return true;
    directories = g_strjoinv("', '", (char **)rules->directories);
    return viommu_fail(
        error, VIOMMU_ERROR_POLICY_REFUSED,
        "'%s' is not in any directory of [files] image-directories ('%s'); move it into one of them, or have root add its directory to that key of viommud.conf",
        path, directories);
}

/* Finds a file that @link names as @what.  *ret_fd: O_PATH on it.  Owned. */
static char *find_named(const ViommuChainRules *rules, const Link *link, const char *what, const char *name,
                        int *ret_fd, GError **error)
{
    g_autofree char *path = viommu_image_resolve(link->path, name, error);
    unsigned bits = link->writable ? VIOMMU_MAY_READ | VIOMMU_MAY_WRITE : VIOMMU_MAY_READ;
    ViommuWalk walk = {.fd = -1};

    if (path && is_in_place(rules, path, error) && viommu_walk(path, &rules->walker, bits, &walk, error) &&
        !walk.fixed && rules->walker.account) {
        viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                    "'%s' lies in a directory that users other than root can modify", path);
        close(walk.fd);
    } else if (walk.fd >= 0 && !S_ISREG(walk.info.st_mode)) {
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' is not a regular file", path);
        close(walk.fd);
    } else if (walk.fd >= 0) {
        *ret_fd = walk.fd;
        return g_steal_pointer(&path);
    }
    g_prefix_error(error, "its %s: ", what);
    return NULL;
}

static bool check_data_file(const ViommuChainRules *rules, const Link *link, const ViommuImage *image,
                            GError **error)
{
    g_autofree char *path = NULL;
    int fd;

    if (!image->has_data_file)
        return true;
    if (!image->data_file)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "it has an external data file but does not name it; create the image again with -o data_file=/ABSOLUTE/PATH");
    /* QEMU would look for it in its working directory, not in the image's. */
    if (image->data_file[0] != '/')
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "its data file '%s' is not an absolute path, so QEMU would look for it elsewhere; create the image again with -o data_file=/ABSOLUTE/PATH",
            image->data_file);
    path = find_named(rules, link, "data file", image->data_file, &fd, error);
    if (path)
        close(fd);
    return path;
}

/* Finds the backing file of @link. */
static char *find_backing(const ViommuChainRules *rules, const Link *link, const ViommuImage *image,
                          int *ret_format, int *ret_fd, GError **error)
{
    int format = image->backing_format
                     ? viommu_enum_from_string(&viommu_enum_disk_format, image->backing_format)
                     : VIOMMU_UNSET;
    char *path = NULL;
    Link readable = {link->path, link->fd, false};

    path = find_named(rules, &readable, "backing file", image->backing, ret_fd, error);
    if (!path)
        return NULL;
    if (format != VIOMMU_UNSET) {
        *ret_format = format;
        return path;
    }
    if (image->backing_format)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "its backing file '%s' has format '%s'; only 'raw' and 'qcow2' are supported", path,
                    image->backing_format);
    else
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "it does not name the format of its backing file, and viommud does not guess it; set it: qemu-img rebase -u -b '%s' -F FORMAT '%s'",
            image->backing, link->path);
    close(*ret_fd);
    g_free(path);
    return NULL;
}

/* Open for reading, or -1: then QEMU gets it by its path, where nobody can replace it. */
static int open_again(int fd)
{
    g_autofree char *magic = viommu_walk_magic_path(fd);

    return open(magic, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

/* The chain that was found. */
typedef struct Found {
    GPtrArray *backing;
    GArray *fds;
} Found;

/* Goes on from @link, whose header is @image; *ret_next is its backing file: with fd -1 when no
 * header is to be read in it. */
static bool follow(const ViommuChainRules *rules, const Link *link, const ViommuImage *image, Found *found,
                   Link *ret_next, GError **error)
{
    g_autofree char *path = NULL;
    int format = VIOMMU_UNSET, named = -1, fd;

    if (found->backing->len == DEPTH_MAX)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "its backing chain is longer than %u files",
                           DEPTH_MAX);
    path = find_backing(rules, link, image, &format, &named, error);
    if (!path)
        return false;
    fd = open_again(named);
    if (fd < 0 && format != VIOMMU_DISK_FORMAT_RAW)
        viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "viommud itself cannot read its backing file '%s': %s; make the file readable for all users",
            path, g_strerror(errno));
    close(named);
    g_array_append_val(found->fds, fd);
    viommu_handover_add_backing(found->backing, path, (ViommuDiskFormat)format, fd >= 0);
    *ret_next = (Link){
        ((const ViommuHandoverBacking *)g_ptr_array_index(found->backing, found->backing->len - 1))->path,
        format == VIOMMU_DISK_FORMAT_RAW ? -1 : fd, false};
    return fd >= 0 || format == VIOMMU_DISK_FORMAT_RAW;
}

bool viommu_chain_follow(const ViommuChainRules *rules, const ViommuChainImage *first,
                         GPtrArray **ret_backing, GArray **ret_fds, GError **error)
{
    g_autoptr(GPtrArray) backing = viommu_handover_backing_new();
    g_autoptr(GArray) fds = viommu_chain_fds_new();
    Found found = {backing, fds};
    Link link = *first;
    bool ok = true;

    while (ok && link.fd >= 0) {
        g_auto(ViommuImage) image = {NULL, NULL, false, NULL};
        Link next = {NULL, -1, false};

        ok = viommu_chain_read_header(link.fd, &image, error) &&
             check_data_file(rules, &link, &image, error) &&
             (!image.backing || follow(rules, &link, &image, &found, &next, error));
        if (!ok && link.fd != first->fd)
            g_prefix_error(error, "backing file '%s': ", link.path);
        link = next;
    }
    if (!ok)
        return false;
    *ret_backing = g_steal_pointer(&backing);
    *ret_fds = g_steal_pointer(&fds);
    return true;
}
