/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* boot-copies: DIRECTORY/UUID.NAME; an overlay is UUID.overlay-DISK-BYTES.  libvirt gives them to
 * QEMU's user; no other user can read them. */
#include "daemon/files/boot-copies.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/sendfile.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>
#include "lib/base/error.h"
#include "lib/base/quantity.h"

#define UUID_LENGTH 36
#define CHUNK       ((off_t)16 << 20)
#define BLOCK       512u /* of st_blocks */

static const char *const names[] = {[VIOMMU_COPY_KERNEL] = "kernel", [VIOMMU_COPY_INITRD] = "initrd"};
G_STATIC_ASSERT(G_N_ELEMENTS(names) == VIOMMU_COPY_LAST);

char *viommu_copies_path(const char *directory, const char *uuid, ViommuCopy what)
{
    return g_strdup_printf("%s/%s.%s", directory, uuid, names[what]);
}

#define OVERLAY "overlay-"

char *viommu_copies_overlay_path(const char *directory, const char *uuid, unsigned i, uint64_t bytes)
{
    return g_strdup_printf("%s/%s." OVERLAY "%u-%" G_GUINT64_FORMAT, directory, uuid, i, bytes);
}

char *viommu_copies_seed_path(const char *directory, const char *uuid)
{
    return g_strdup_printf("%s/%s.seed", directory, uuid);
}

static bool check_size(off_t bytes, GError **error)
{
    if (bytes == 0)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is empty");
    else if ((uint64_t)bytes > VIOMMU_COPY_BYTES_MAX)
        viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                    "it is larger than %" G_GUINT64_FORMAT
                    " MiB, the limit of a kernel or initrd; boot from a disk",
                    VIOMMU_COPY_BYTES_MAX >> 20);
    return bytes > 0 && (uint64_t)bytes <= VIOMMU_COPY_BYTES_MAX;
}

char *viommu_copies_directory(bool user)
{
    const char *given = g_getenv("STATE_DIRECTORY");

    if (given && *given)
        return g_build_filename(given, "boot", NULL);
    return user ? g_build_filename(g_get_user_data_dir(), "viommud", "boot", NULL)
                : g_strdup("/var/lib/viommu/boot");
}

bool viommu_copies_measure(int fd, uint64_t *ret_bytes, GError **error)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "viommud cannot read its size: %s",
                           g_strerror(errno));
    if (!check_size(info.st_size, error))
        return false;
    *ret_bytes = (uint64_t)info.st_size;
    return true;
}

/* Shares blocks where the file systems can.  Returns what the system call does: the bytes; 0 at the
 * end. */
static ssize_t copy_some(int from, int to, off_t *at, off_t bytes)
{
    off_t there = *at;
    ssize_t n = copy_file_range(from, at, to, &there, (size_t)bytes, 0);

    if (n >= 0 || (errno != EXDEV && errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP))
        return n;
    return lseek(to, *at, SEEK_SET) < 0 ? -1 : sendfile(to, from, at, (size_t)bytes);
}

static bool copy_piece(int from, int to, off_t at, off_t end)
{
    ssize_t n = 1;

    while (at < end && n > 0)
        n = copy_some(from, to, &at, MIN(end - at, CHUNK));
    return n >= 0;
}

/* The next data at or after @at and before @end; a file system without holes has data
 * everywhere. */
static bool find_piece(int from, off_t at, off_t end, off_t *ret_begin, off_t *ret_end)
{
    off_t begin = lseek(from, at, SEEK_DATA), hole;

    if (begin < 0 && errno == ENXIO)
        return false;
    hole = begin < 0 ? -1 : lseek(from, begin, SEEK_HOLE);
    if (begin >= end)
        return false;
    *ret_begin = begin < 0 ? at : begin;
    *ret_end = hole <= *ret_begin ? end : MIN(hole, end);
    return true;
}

/* Writes only data, up to @end: a file that grows meanwhile is copied only up to its measured
 * size. */
static bool copy_data(int from, int to, off_t end)
{
    off_t begin, at = 0;

    while (at < end && find_piece(from, at, end, &begin, &at))
        if (!copy_piece(from, to, begin, at))
            return false;
    return ftruncate(to, end) == 0;
}

/* Leaves the file offset of @from, which is the caller's. */
static bool copy_all(int from, int to, uint64_t bytes, const char *path, GError **error)
{
    off_t place = lseek(from, 0, SEEK_CUR);
    bool ok = copy_data(from, to, (off_t)bytes);
    int number = errno;

    if (place >= 0)
        (void)lseek(from, place, SEEK_SET);
    if (!ok)
        viommu_fail(error, VIOMMU_ERROR_BACKEND, "viommud cannot copy it to '%s': %s", path,
                    g_strerror(number));
    return ok;
}

/* A POSIX access control list as in the attribute: linux/posix_acl_xattr.h, all little-endian. */
#define ACL_ATTRIBUTE "system.posix_acl_access"
#define ACL_VERSION   2u
#define ACL_NOBODY    UINT32_MAX
typedef struct AclEntry {
    uint16_t tag, bits;
    uint32_t id;
} AclEntry;
enum {
    ACL_OWNER = 1,
    ACL_OWN_GROUP = 4,
    ACL_GROUP = 8,
    ACL_MASK = 16,
    ACL_OTHERS = 32,
};

static bool set_list(int fd, gid_t group)
{
    const AclEntry entries[] = {
        {ACL_OWNER, 7, ACL_NOBODY}, {ACL_OWN_GROUP, 0, ACL_NOBODY}, {ACL_GROUP, 1, group},
        {ACL_MASK, 1, ACL_NOBODY},  {ACL_OTHERS, 0, ACL_NOBODY},
    };
    uint8_t value[4 + sizeof(entries)] = {ACL_VERSION};

    for (size_t i = 0; i < G_N_ELEMENTS(entries); i++) {
        const uint16_t tag = GUINT16_TO_LE(entries[i].tag), bits = GUINT16_TO_LE(entries[i].bits);
        const uint32_t id = GUINT32_TO_LE(entries[i].id);
        uint8_t *at = value + 4 + i * sizeof(AclEntry);

        memcpy(at, &tag, sizeof(tag));
        memcpy(at + 2, &bits, sizeof(bits));
        memcpy(at + 4, &id, sizeof(id));
    }
    return fsetxattr(fd, ACL_ATTRIBUTE, value, sizeof(value), 0) == 0;
}

/* A list, because viommud is not in QEMU's group and cannot use chgrp.  The site may have given
 * access in another way. */
static bool guard(int fd, gid_t group)
{
    struct stat info;

    if (fstat(fd, &info) < 0)
        return false;
    if (info.st_gid == group && (info.st_mode & 07777) == 0710 && fgetxattr(fd, ACL_ATTRIBUTE, NULL, 0) < 0)
        return true;
    return fchmod(fd, 0700) == 0 && set_list(fd, group);
}

bool viommu_copies_guard(const char *directory, gid_t group, GError **error)
{
    bool made = g_mkdir_with_parents(directory, 0700) == 0 || errno == EEXIST;
    int fd = made ? open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    bool ok = fd >= 0 && guard(fd, group);

    if (!ok)
        viommu_fail(
            error, VIOMMU_ERROR_BACKEND,
            "viommud cannot open '%s', the directory of copies, to QEMU's group %u alone: %s; use a file system with access control lists, or have root run: chgrp %u '%s'; chmod 0710 '%s'",
            directory, group, g_strerror(errno), group, directory, directory);
    if (fd >= 0)
        close(fd);
    return ok;
}

/* QEMU's user may pass through; no user may list it. */
bool viommu_copies_make_directory(const char *directory, GError **error)
{
    return g_mkdir_with_parents(directory, 0711) == 0 || errno == EEXIST ||
           viommu_fail(error, VIOMMU_ERROR_BACKEND, "viommud cannot create the directory '%s': %s", directory,
                       g_strerror(errno));
}

bool viommu_copies_measure_room(const char *directory, uint64_t *ret_free_bytes)
{
    struct statvfs info;

    if (statvfs(directory, &info) < 0)
        return false;
    *ret_free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    return true;
}

bool viommu_copies_check_room(const char *directory, uint64_t reserve_bytes, GError **error)
{
    g_autofree char *reserve = viommu_quantity_format(reserve_bytes), *has = NULL;
    uint64_t free_bytes;

    if (!viommu_copies_make_directory(directory, error))
        return false;
    if (!viommu_copies_measure_room(directory, &free_bytes))
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "viommud cannot look at '%s': %s", directory,
                           g_strerror(errno));
    if (free_bytes > reserve_bytes || reserve_bytes == 0)
        return true;
    has = viommu_quantity_format(free_bytes / VIOMMU_MIB * VIOMMU_MIB);
    return viommu_fail(
        error, VIOMMU_ERROR_BUSY,
        "the file system of '%s' has only %s free, and [limits] disk-reserve=%s stays free when an overlay is made; stop a machine that has overlays, or make room",
        directory, has, reserve);
}

bool viommu_copies_make(const char *directory, const char *uuid, ViommuCopy what,
                        const ViommuCopySource *source, GError **error)
{
    g_autofree char *path = viommu_copies_path(directory, uuid, what);
    bool ok;
    int to;

    if (!check_size((off_t)source->bytes, error) || !viommu_copies_make_directory(directory, error))
        return false;
    to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (to < 0)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot create the copy '%s': %s", path,
                           g_strerror(errno));
    ok = copy_all(source->fd, to, source->bytes, path, error);
    close(to);
    return ok;
}

/* The machine of file @name; NULL: no file of a machine.  Owned. */
static char *uuid_of(const char *name)
{
    g_autofree char *uuid = g_strndup(name, UUID_LENGTH);

    return strlen(uuid) == UUID_LENGTH && name[UUID_LENGTH] == '.' && g_uuid_string_is_valid(uuid)
               ? g_steal_pointer(&uuid)
               : NULL;
}

/* libvirt's daemon keeps an open file of a guest, with its room, until the domain is undefined.  A
 * libvirt that cannot take open files may have given the file to its QEMU's user: then viommud
 * cannot open it, and libvirt does not keep it. */
static void give_room_back(const char *path)
{
    int fd = open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)ftruncate(fd, 0);
    close(fd);
}

bool viommu_copies_remove(const char *directory, const char *uuid, GError **error)
{
    g_autoptr(GError) closed = NULL;
    g_autoptr(GDir) dir = g_dir_open(directory, 0, &closed);
    bool ok = true;

    if (!dir && closed->code != G_FILE_ERROR_NOENT && closed->code != G_FILE_ERROR_NOTDIR)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot delete copies: %s", closed->message);
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL), *owner = uuid_of(name);

        if (!owner || !g_str_equal(owner, uuid))
            continue;
        give_room_back(path);
        if (g_unlink(path) == 0 || errno == ENOENT || !ok)
            continue;
        ok = viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot delete the copy '%s': %s", path,
                         g_strerror(errno));
    }
    return ok;
}

/* The size that the guest sees, as text, if the file @name of a machine is an overlay; else
 * NULL. */
static const char *overlay_size(const char *name)
{
    const char *what = name + UUID_LENGTH + 1;
    const char *size = g_str_has_prefix(what, OVERLAY) ? strchr(what + strlen(OVERLAY), '-') : NULL;

    return size ? size + 1 : NULL;
}

/* Adds the file @name: an overlay is what its guest sees of it.  QEMU's user owns the others, and a
 * QEMU that a guest has taken over can make them as large as the file system takes; that must not
 * use up what all users together may have. */
static void add_size(void *sum, const char *name, const struct stat *info)
{
    ViommuCopiesSize *size = sum;
    const char *bytes = overlay_size(name);

    if (bytes)
        size->overlay_bytes +=
            MIN(g_ascii_strtoull(bytes, NULL, 10), (uint64_t)INT64_MAX - size->overlay_bytes);
    else
        size->bytes += MIN((uint64_t)info->st_size, VIOMMU_COPY_BYTES_MAX);
}

static void add_blocks(void *sum, const char *name, const struct stat *info)
{
    uint64_t *bytes = sum;

    if (overlay_size(name))
        *bytes += (uint64_t)info->st_blocks * BLOCK;
}

/* UUID -> a sum of @size bytes over the machine's files, to which @add adds one; it begins as
 * zeros. */
static GHashTable *sum_files(const char *directory, size_t size,
                             void (*add)(void *sum, const char *name, const struct stat *info))
{
    g_autoptr(GDir) dir = g_dir_open(directory, 0, NULL);
    GHashTable *sums = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);

    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        g_autofree char *path = g_build_filename(directory, name, NULL), *uuid = uuid_of(name);
        struct stat info;
        void *sum;

        if (!uuid || g_lstat(path, &info) < 0)
            continue;
        sum = g_hash_table_lookup(sums, uuid);
        if (!sum)
            g_hash_table_insert(sums, g_steal_pointer(&uuid), sum = g_malloc0(size));
        add(sum, name, &info);
    }
    return sums;
}

GHashTable *viommu_copies_list(const char *directory)
{
    return sum_files(directory, sizeof(ViommuCopiesSize), add_size);
}

GHashTable *viommu_copies_measure_overlays(const char *directory)
{
    return sum_files(directory, sizeof(uint64_t), add_blocks);
}
