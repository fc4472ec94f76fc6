/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: one after the other: get hold of it, look what it is, decide how it is handed over. */
#include "daemon/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "daemon/account.h"
#include "daemon/chain.h"
#include "daemon/copies.h"
#include "daemon/kernel-file.h"
#include "daemon/walk.h"
#include "lib/error.h"

#define refuse(error, ...)  g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED, __VA_ARGS__)
#define invalid(error, ...) g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_INVALID_REQUEST, __VA_ARGS__)

#define ADVICE "what you can open you can pass as a file descriptor, as viommuctl does"

static const char *const boot_keys[] = {
    [VIOMMU_COPY_KERNEL] = "boot.kernel", [VIOMMU_COPY_INITRD] = "boot.initrd"};

struct ViommuFiles {
    const ViommuFilesSite *site;
    char *uuid;
    ViommuHandovers *handovers;
    int copied[VIOMMU_COPY_LAST]; /* to be copied from; -1: not */
    uint64_t copied_bytes[VIOMMU_COPY_LAST];
    GArray *disks; /* of int: to be handed over; -1: not */
    ViommuKernel kernel;
    bool kernel_is_known;
};

/* Who asks for what. */
typedef struct Judge {
    const ViommuFilesSite *site;
    const ViommuRequest *request;
    const ViommuAccount *account; /* NULL: a user's own daemon */
} Judge;

/* A file as it was got hold of. */
typedef struct Hold {
    const char *path;
    bool writable;
    int fd;
    struct stat info;
    bool fixed; /* the path cannot come to mean another file */
} Hold;

static void close_fd(void *fd)
{
    if (*(int *)fd >= 0)
        close(*(int *)fd);
}

static int take_fd(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

/* --- Getting hold of it --- */

static bool is_at(const Judge *judge, const Hold *hold)
{
    struct stat info;
    ViommuWalk walk;

    if (judge->site->own)
        return stat(hold->path, &info) == 0 && info.st_dev == hold->info.st_dev &&
               info.st_ino == hold->info.st_ino;
    if (hold->path[0] != '/' || !viommu_walk(hold->path, NULL, 0, &walk, NULL))
        return false;
    close(walk.fd);
    return walk.fixed && walk.info.st_dev == hold->info.st_dev && walk.info.st_ino == hold->info.st_ino;
}

/* What the descriptor was opened for is what its sender may. */
static bool hold_descriptor(const Judge *judge, int handle, Hold *hold, GError **error)
{
    const GArray *fds = judge->request->fds;
    int flags;

    g_return_val_if_fail(fds && (guint)handle < fds->len, false);
    hold->fd = take_fd(&g_array_index(fds, int, handle));
    flags = fcntl(hold->fd, F_GETFL);
    if (flags < 0 || fstat(hold->fd, &hold->info) < 0) {
        invalid(error, "the file descriptor cannot be used: %s", g_strerror(errno));
        return false;
    }
    if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY ||
        (hold->writable && (flags & O_ACCMODE) != O_RDWR)) {
        refuse(error, "the file descriptor is not open for reading%s",
               hold->writable ? " and writing; open it so, or ask for the disk read-only" : "");
        return false;
    }
    hold->fixed = is_at(judge, hold);
    return true;
}

static bool hold_own_path(Hold *hold, GError **error)
{
    hold->fd = open(hold->path, (hold->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    hold->fixed = true;
    if (hold->fd >= 0 && fstat(hold->fd, &hold->info) == 0)
        return true;
    invalid(error, "it cannot be opened%s: %s", hold->writable ? " for reading and writing" : "",
            g_strerror(errno));
    return false;
}

/* Whatever the matter with the path: what its sender can open can be sent open. */
static void advise(GError **error)
{
    char *words = error && *error ? g_strconcat((*error)->message, "; " ADVICE, NULL) : NULL;

    if (!words)
        return;
    g_free((*error)->message);
    (*error)->message = words;
}

/* Leaves an O_PATH descriptor, good for what is handed over by its path. */
static bool hold_path(const Judge *judge, Hold *hold, GError **error)
{
    unsigned bits = hold->writable ? VIOMMU_MAY_READ | VIOMMU_MAY_WRITE : VIOMMU_MAY_READ;
    ViommuWalk walk;

    if (!viommu_walk(hold->path, judge->account, bits, &walk, error)) {
        advise(error);
        return false;
    }
    hold->fd = walk.fd;
    hold->info = walk.info;
    hold->fixed = walk.fixed;
    return true;
}

/* Opens what was walked to.  The kind of file is known by now, so this waits for nobody. */
static bool open_held(Hold *hold, GError **error)
{
    g_autofree char *magic = viommu_walk_magic_path(hold->fd);
    bool write = hold->writable && !hold->fixed;
    int fd;

    if (!(fcntl(hold->fd, F_GETFL) & O_PATH))
        return true;
    fd = open(magic, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0) {
        invalid(error, "viommud itself cannot open it%s: %s; " ADVICE,
                write ? " for reading and writing" : "", g_strerror(errno));
        return false;
    }
    close(hold->fd);
    hold->fd = fd;
    return true;
}

static bool get_hold(const Judge *judge, const ViommuFile *file, bool writable, Hold *ret_hold,
                     GError **error)
{
    Hold hold = {.path = file->path, .writable = writable, .fd = -1};
    bool ok;

    if (file->handle != VIOMMU_UNSET)
        ok = hold_descriptor(judge, file->handle, &hold, error);
    else if (judge->site->own)
        ok = hold_own_path(&hold, error);
    else
        ok = hold_path(judge, &hold, error);
    if (ok)
        *ret_hold = hold;
    else
        close_fd(&hold.fd);
    return ok;
}

/* --- Handing it over --- */

static bool hand_over_boot(ViommuFiles *files, Hold *hold, ViommuCopy what, ViommuHandover *handover,
                           GError **error)
{
    if (!S_ISREG(hold->info.st_mode)) {
        invalid(error, "it is no regular file");
        return false;
    }
    if (hold->fixed) {
        handover->path = g_strdup(hold->path);
        return true;
    }
    if (!open_held(hold, error) || !viommu_copies_measure(hold->fd, &files->copied_bytes[what], error))
        return false;
    handover->path = viommu_copies_path(files->site->copies, files->uuid, what);
    files->copied[what] = take_fd(&hold->fd);
    return true;
}

/* What the planner may know of the kernel.  A configuration is looked for only beside a path that is to be trusted. */
static void read_kernel(ViommuFiles *files, const Hold *hold)
{
    int fd = files->copied[VIOMMU_COPY_KERNEL];

    files->kernel_is_known = fd >= 0 ? viommu_kernel_file_read(fd, NULL, &files->kernel)
                                     : viommu_kernel_file_read_path(hold->path, &files->kernel);
}

static bool open_boot_file(ViommuFiles *files, const Judge *judge, ViommuCopy what, GError **error)
{
    bool is_kernel = what == VIOMMU_COPY_KERNEL;
    const ViommuFile *file = is_kernel ? &judge->request->boot.kernel : &judge->request->boot.initrd;
    ViommuHandover *handover = is_kernel ? &files->handovers->kernel : &files->handovers->initrd;
    Hold hold = {.fd = -1};
    bool ok;

    if (!file->path)
        return true;
    ok = get_hold(judge, file, false, &hold, error) && hand_over_boot(files, &hold, what, handover, error);
    if (ok && is_kernel)
        read_kernel(files, &hold);
    close_fd(&hold.fd);
    if (!ok)
        g_prefix_error(error, "%s '%s': ", boot_keys[what], file->path);
    return ok;
}

/* The kernel's own name of a block device, which is root's in /dev; what the caller calls it may be anything. */
static char *device_path(const struct stat *info, GError **error)
{
    g_autofree char *path =
        g_strdup_printf("/sys/dev/block/%u:%u/uevent", major(info->st_rdev), minor(info->st_rdev));
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    if (g_file_get_contents(path, &text, NULL, NULL))
        lines = g_strsplit(text, "\n", -1);
    for (char **line = lines; line && *line; line++)
        if (g_str_has_prefix(*line, "DEVNAME="))
            return g_strconcat("/dev/", *line + strlen("DEVNAME="), NULL);
    invalid(error, "there is no name for this block device in '%s'", path);
    return NULL;
}

static bool hand_over_disk(ViommuFiles *files, const Judge *judge, Hold *hold, ViommuHandover *handover,
                           GError **error)
{
    handover->is_block = S_ISBLK(hold->info.st_mode);
    if (!handover->is_block && !S_ISREG(hold->info.st_mode)) {
        invalid(error, "it is neither a regular file nor a block device");
        return false;
    }
    handover->is_open = !handover->is_block && !hold->fixed;
    handover->path =
        handover->is_block && !hold->fixed ? device_path(&hold->info, error) : g_strdup(hold->path);
    return handover->path && (!handover->is_open || open_held(hold, error));
}

static bool follow_chain(const Judge *judge, Hold *hold, ViommuHandover *handover, GError **error)
{
    const ViommuChainRules rules = {judge->site->image_directories, judge->account};

    return open_held(hold, error) &&
           viommu_chain_follow(&rules, hold->path, hold->fd, hold->writable, &handover->backing, error);
}

static bool open_disk(ViommuFiles *files, const Judge *judge, guint i, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(judge->request->disks, i);
    ViommuHandover *handover = g_new0(ViommuHandover, 1);
    Hold hold = {.fd = -1};
    int kept = -1;
    bool ok;

    g_ptr_array_add(files->handovers->disks, handover);
    ok = get_hold(judge, &disk->file, disk->read_only != 1, &hold, error) &&
         hand_over_disk(files, judge, &hold, handover, error) &&
         (disk->format != VIOMMU_DISK_FORMAT_QCOW2 || follow_chain(judge, &hold, handover, error));
    if (ok && handover->is_open)
        kept = take_fd(&hold.fd);
    close_fd(&hold.fd);
    g_array_append_val(files->disks, kept);
    if (!ok)
        g_prefix_error(error, "disks[%u].path '%s': ", i, disk->file.path);
    return ok;
}

static bool open_all(ViommuFiles *files, const Judge *judge, GError **error)
{
    const GPtrArray *disks = judge->request->disks;

    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        if (!open_boot_file(files, judge, (ViommuCopy)what, error))
            return false;
    for (guint i = 0; disks && i < disks->len; i++)
        if (!open_disk(files, judge, i, error))
            return false;
    return true;
}

ViommuFiles *viommu_files_open(const ViommuFilesSite *site, const ViommuRequest *request, uint32_t uid,
                               const char *uuid, GError **error)
{
    g_autoptr(ViommuFiles) files = g_new0(ViommuFiles, 1);
    g_autoptr(ViommuAccount) account = NULL;

    files->site = site;
    files->uuid = g_strdup(uuid);
    files->disks = g_array_new(FALSE, FALSE, sizeof(int));
    g_array_set_clear_func(files->disks, close_fd);
    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        files->copied[what] = -1;
    if (site->skip || (!request->boot.kernel.path && !request->disks))
        return g_steal_pointer(&files);
    files->handovers = viommu_handovers_new();
    if (!site->own)
        account = viommu_account_find(uid);
    return open_all(files, &(Judge){site, request, account}, error) ? g_steal_pointer(&files) : NULL;
}

void viommu_files_free(ViommuFiles *files)
{
    if (!files)
        return;
    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        close_fd(&files->copied[what]);
    g_array_unref(files->disks);
    viommu_handovers_free(files->handovers);
    g_free(files->uuid);
    g_free(files);
}

const ViommuHandovers *viommu_files_handovers(const ViommuFiles *files)
{
    return files->handovers;
}

const ViommuKernel *viommu_files_kernel(const ViommuFiles *files)
{
    return files->kernel_is_known ? &files->kernel : NULL;
}

uint64_t viommu_files_copied_bytes(const ViommuFiles *files)
{
    uint64_t sum = 0;

    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        sum += files->copied_bytes[what];
    return sum;
}

bool viommu_files_copy(const ViommuFiles *files, GError **error)
{
    for (int what = 0; what < VIOMMU_COPY_LAST; what++) {
        const ViommuCopySource source = {files->copied[what], files->copied_bytes[what]};

        if (source.fd < 0 ||
            viommu_copies_make(files->site->copies, files->uuid, (ViommuCopy)what, &source, error))
            continue;
        g_prefix_error(error, "%s: ", boot_keys[what]);
        return false;
    }
    return true;
}

int viommu_files_disk(const ViommuFiles *files, unsigned i)
{
    return g_array_index(files->disks, int, i);
}
