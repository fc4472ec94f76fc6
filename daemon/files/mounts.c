/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts: reads /proc/PID/mountinfo (proc(5)) and the mount ids in /proc/self/fdinfo/FD.  The
 * kernel gives an id to each mount of each namespace, so an id that is missing here is of another
 * namespace, or of none. */
#include "daemon/files/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include "lib/base/error.h"

/* Enough for ten thousand mounts. */
#define MOUNTS_BYTES_MAX ((size_t)4 << 20)
/* The line "mnt_id:" is the third of a few short lines. */
#define FDINFO_BYTES 512

/* File systems that store files.  All others are refused: virtual ones of the kernel, and unknown
 * ones. */
static const char *const storage[] = {
    "ext2",     "ext3",   "ext4",     "xfs",      "btrfs", "f2fs",  "zfs",     "bcachefs", "jfs",
    "reiserfs", "nilfs2", "tmpfs",    "ramfs",    "vfat",  "exfat", "ntfs3",   "iso9660",  "udf",
    "squashfs", "erofs",  "nfs",      "nfs4",     "cifs",  "smb3",  "9p",      "virtiofs", "ceph",
    "ocfs2",    "gfs2",   "gpfs",     "lustre",   "afs",   "hfs",   "hfsplus", "ufs",      "minix",
    "overlay",  "aufs",   "orangefs", "devtmpfs", /* for device nodes, which root makes */
};

typedef struct Mount {
    char *type;
    bool of_user; /* an ordinary user's program serves it */
} Mount;

struct ViommuMounts {
    GHashTable *by_id; /* of Mount */
};

static void mount_free(void *data)
{
    Mount *mount = data;

    g_free(mount->type);
    g_free(mount);
}

void viommu_mounts_free(ViommuMounts *mounts)
{
    if (!mounts)
        return;
    g_hash_table_unref(mounts->by_id);
    g_free(mounts);
}

static bool is_fuse(const char *type)
{
    return g_str_equal(type, "fuse") || g_str_has_prefix(type, "fuse.") || g_str_equal(type, "fuseblk");
}

/* FUSE shows the user who mounted it. */
static bool is_of_root(const char *options)
{
    const char *user = strstr(options, "user_id=");

    return user && g_str_has_prefix(user, "user_id=0") && !g_ascii_isdigit(user[strlen("user_id=0")]);
}

/* "ID PARENT MAJOR:MINOR ROOT PLACE OPTIONS [FIELD...] - TYPE SOURCE OPTIONS" */
static void read_line(ViommuMounts *mounts, const char *line)
{
    const char *tail = strstr(line, " - ");
    g_auto(GStrv) words = tail ? g_strsplit(tail + strlen(" - "), " ", 3) : NULL;
    guint64 id = g_ascii_strtoull(line, NULL, 10);
    Mount *mount;

    if (!words || g_strv_length(words) < 2)
        return;
    mount = g_new0(Mount, 1);
    mount->type = g_strdup(words[0]);
    mount->of_user = is_fuse(mount->type) && !(words[2] && is_of_root(words[2]));
    g_hash_table_replace(mounts->by_id, GSIZE_TO_POINTER((gsize)id), mount);
}

static char *read_all(const char *path, size_t max)
{
    g_autoptr(GString) text = g_string_new(NULL);
    char buffer[16384];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = -1;

    if (fd < 0)
        return NULL;
    while ((n = read(fd, buffer, MIN(sizeof(buffer), max - text->len))) > 0)
        g_string_append_len(text, buffer, n);
    close(fd);
    return n < 0 ? NULL : g_string_free(g_steal_pointer(&text), FALSE);
}

static ViommuMounts *read_mounts(const char *path, GError **error)
{
    g_autoptr(ViommuMounts) mounts = NULL;
    g_autofree char *text = read_all(path, MOUNTS_BYTES_MAX);

    if (!text || !*text) {
        viommu_fail(
            error, VIOMMU_ERROR_BACKEND,
            "viommud cannot read '%s', and so cannot find out which file system a file is on: %s; mount /proc without hidepid, so that it shows the processes of other users",
            path, text ? "it is empty" : g_strerror(errno));
        return NULL;
    }
    mounts = g_new0(ViommuMounts, 1);
    mounts->by_id = g_hash_table_new_full(NULL, NULL, NULL, mount_free);
    for (char *at = text, *end; *at; at = end) {
        end = at + strcspn(at, "\n");
        if (*end)
            *end++ = '\0';
        read_line(mounts, at);
    }
    return g_steal_pointer(&mounts);
}

ViommuMounts *viommu_mounts_of_host(GError **error)
{
    return read_mounts("/proc/1/mountinfo", error);
}

ViommuMounts *viommu_mounts_of_self(GError **error)
{
    return read_mounts("/proc/self/mountinfo", error);
}

/* 0: there is none. */
static guint64 mount_of(int fd)
{
    g_autofree char *path = g_strdup_printf("/proc/self/fdinfo/%d", fd);
    g_autofree char *text = read_all(path, FDINFO_BYTES);
    const char *line = text ? strstr(text, "mnt_id:") : NULL;

    return line ? g_ascii_strtoull(line + strlen("mnt_id:"), NULL, 10) : 0;
}

static bool keeps_files(const char *type)
{
    for (size_t i = 0; i < G_N_ELEMENTS(storage); i++)
        if (g_str_equal(storage[i], type))
            return true;
    return is_fuse(type);
}

bool viommu_mounts_check(const ViommuMounts *mounts, int fd, GError **error)
{
    const Mount *mount = g_hash_table_lookup(mounts->by_id, GSIZE_TO_POINTER((gsize)mount_of(fd)));

    if (!mount)
        viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "it is not on a file system of the host's own mount namespace: it belongs to a container, to a service with PrivateTmp= or similar, or to memory; copy it to a file system of the host, and open it there");
    else if (mount->of_user)
        viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                    "it is on a file system that a user's program serves (%s); copy it to a disk of the host",
                    mount->type);
    else if (!keeps_files(mount->type))
        viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "it is on file system '%s', which does not hold files for guests; copy it to a disk of the host",
            mount->type);
    else
        return true;
    return false;
}
