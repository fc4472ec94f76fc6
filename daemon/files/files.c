/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: for each file: opens it, checks its kind, and decides how to pass it on. */
#include "daemon/files/files-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include "daemon/files/unix-user.h"
#include "daemon/files/image-chain.h"
#include "daemon/files/kernel-file.h"
#include "daemon/files/named-image.h"
#include "daemon/files/overlay.h"
#include "daemon/files/path-walk.h"
#include "daemon/files/seed.h"
#include "lib/base/error.h"
#include "lib/base/quantity.h"

const char *const viommu_files_boot_keys[VIOMMU_COPY_LAST] = {
    [VIOMMU_COPY_KERNEL] = "boot.kernel",
    [VIOMMU_COPY_INITRD] = "boot.initrd",
};

/* For one request. */
#define BACKING_OPEN_MAX 200u

/* More than a seed takes besides user-data. */
#define SEED_BYTES ((uint64_t)1 << 20)

#define ADVICE "if you can open it, pass it as a file descriptor, as viommuctl does"

/* The user, and the rules for the files. */
typedef struct Judge {
    const ViommuFilesSite *site;
    const ViommuRequest *request;
    ViommuWalker walker; /* of no account: a user's own daemon */
    bool trusted;        /* the user is root, or the daemon's user */
} Judge;

/* A file that was found or opened. */
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

/* --- Finding and opening --- */

static bool is_at(const Judge *judge, const Hold *hold)
{
    struct stat info;
    ViommuWalk walk;

    if (judge->site->own)
        return stat(hold->path, &info) == 0 && info.st_dev == hold->info.st_dev &&
               info.st_ino == hold->info.st_ino;
    const ViommuWalker walker = {NULL, judge->walker.mounts};

    if (hold->path[0] != '/' || !viommu_walk(hold->path, &walker, 0, &walk, NULL))
        return false;
    close(walk.fd);
    return walk.fixed && walk.info.st_dev == hold->info.st_dev && walk.info.st_ino == hold->info.st_ino;
}

/* A descriptor's access mode shows what its sender may do. */
static bool hold_descriptor(const Judge *judge, int handle, Hold *hold, GError **error)
{
    const GArray *fds = judge->request->fds;
    int flags;

    g_return_val_if_fail(fds && (guint)handle < fds->len, false);
    hold->fd = take_fd(&g_array_index(fds, int, handle));
    flags = fcntl(hold->fd, F_GETFL);
    if (flags < 0 || fstat(hold->fd, &hold->info) < 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot use the file descriptor: %s",
                           g_strerror(errno));
    if ((flags & O_PATH) || (flags & O_ACCMODE) == O_WRONLY ||
        (hold->writable && (flags & O_ACCMODE) != O_RDWR))
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED, "the file descriptor is not open for reading%s",
            hold->writable ? " and writing; open it for both, or request the disk read-only" : "");
    hold->fixed = is_at(judge, hold);
    return true;
}

static bool hold_own_path(Hold *hold, GError **error)
{
    hold->fd = open(hold->path, (hold->writable ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    hold->fixed = true;
    if (hold->fd >= 0 && fstat(hold->fd, &hold->info) == 0)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "viommud cannot open it%s: %s",
                       hold->writable ? " for reading and writing" : "", g_strerror(errno));
}

/* Whatever is wrong with the path: a file that its sender can open can be sent open. */
static void advise(GError **error)
{
    char *words = error && *error ? g_strconcat((*error)->message, "; " ADVICE, NULL) : NULL;

    if (!words)
        return;
    g_free((*error)->message);
    (*error)->message = words;
}

/* Leaves an O_PATH descriptor, which is enough for a file that is passed by its path. */
static bool hold_path(const Judge *judge, Hold *hold, GError **error)
{
    unsigned bits = hold->writable ? VIOMMU_MAY_READ | VIOMMU_MAY_WRITE : VIOMMU_MAY_READ;
    ViommuWalk walk;

    if (!viommu_walk(hold->path, &judge->walker, bits, &walk, error)) {
        advise(error);
        return false;
    }
    hold->fd = walk.fd;
    hold->info = walk.info;
    hold->fixed = walk.fixed;
    return true;
}

/* Whether it is open in the way in which it must be passed on. */
static bool is_open(const Hold *hold)
{
    int flags = fcntl(hold->fd, F_GETFL);

    return !(flags & O_PATH) && (!hold->writable || (flags & O_ACCMODE) == O_RDWR);
}

/* Opens the file that was found.  Its kind is known by now, so this does not block. */
static bool open_held(Hold *hold, bool write, GError **error)
{
    g_autofree char *magic = viommu_walk_magic_path(hold->fd);
    int fd;

    if (!(fcntl(hold->fd, F_GETFL) & O_PATH))
        return true;
    fd = open(magic, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "viommud itself cannot open it%s: %s; " ADVICE,
                           write ? " for reading and writing" : "", g_strerror(errno));
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

/* --- Passing on --- */

static bool hand_over_boot(ViommuFiles *files, Hold *hold, ViommuCopy what, ViommuHandover *handover,
                           GError **error)
{
    if (!S_ISREG(hold->info.st_mode))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not a regular file");
    /* libvirt gives the file to QEMU's user, which clears its setuid bit, for example. */
    if (hold->fixed && files->site->own) {
        handover->path = g_strdup(hold->path);
        handover->is_fixed = true;
        return true;
    }
    if (!open_held(hold, false, error) || !viommu_copies_measure(hold->fd, &files->copied_bytes[what], error))
        return false;
    handover->path = viommu_copies_path(files->site->copies, files->uuid, what);
    files->copied[what] = take_fd(&hold->fd);
    return true;
}

/* Reads what the planner needs to know of the kernel.  A configuration is read only beside a path
 * that is safe. */
static void read_kernel(ViommuFiles *files, const Hold *hold)
{
    int fd = files->copied[VIOMMU_COPY_KERNEL];

    files->kernel_is_known = hold->fixed ? viommu_kernel_file_read_path(hold->path, &files->kernel)
                                         : viommu_kernel_file_read(fd, NULL, &files->kernel);
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
        g_prefix_error(error, "%s '%s': ", viommu_files_boot_keys[what], file->path);
    return ok;
}

/* The kernel's own name of a block device, which is root's in /dev; the caller's name for it may be
 * anything. */
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
    viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "'%s' contains no name of this block device", path);
    return NULL;
}

/* QEMU opens it by its path, as the user of the request. */
static bool may_open_device(const Judge *judge, const Hold *hold, const char *path, GError **error)
{
    unsigned bits = hold->writable ? VIOMMU_MAY_READ | VIOMMU_MAY_WRITE : VIOMMU_MAY_READ;

    if (!judge->walker.account || judge->trusted ||
        viommu_account_may(judge->walker.account, &hold->info, bits))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_POLICY_REFUSED,
        "QEMU would open block device '%s' with the rights of user %u, and its owner and mode do not allow that; have udev give the device to the user or to one of the user's groups",
        path, viommu_account_uid(judge->walker.account));
}

static bool hand_over_device(const Judge *judge, const Hold *hold, ViommuHandover *handover, GError **error)
{
    handover->is_block = true;
    handover->is_fixed = true;
    handover->path = hold->fixed ? g_strdup(hold->path) : device_path(&hold->info, error);
    return handover->path && may_open_device(judge, hold, handover->path, error);
}

/* QEMU needs a descriptor with exactly the requested access: a file that is open for writing, too,
 * is opened again. */
static bool open_for_reading(Hold *hold, GError **error)
{
    g_autofree char *magic = viommu_walk_magic_path(hold->fd);
    int flags = fcntl(hold->fd, F_GETFL), fd;

    if (hold->writable || (flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR)
        return true;
    fd = open(magic, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return viommu_fail(
            error, VIOMMU_ERROR_POLICY_REFUSED,
            "the file descriptor of a read-only disk is also open for writing; open it for reading only, or request the disk without read-only");
    close(hold->fd);
    hold->fd = fd;
    return true;
}

static bool hand_over_disk(const Judge *judge, Hold *hold, ViommuHandover *handover, GError **error)
{
    if (S_ISBLK(hold->info.st_mode))
        return hand_over_device(judge, hold, handover, error);
    if (!S_ISREG(hold->info.st_mode))
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "it is neither a regular file nor a block device");
    handover->path = g_strdup(hold->path);
    handover->is_fixed = hold->fixed;
    handover->is_nameless = hold->info.st_nlink == 0;
    /* A file that only its owner can open is passed by its path, if that is safe. */
    if (!open_held(hold, hold->writable, hold->fixed ? NULL : error) && !hold->fixed)
        return false;
    if (!judge->site->own && !open_for_reading(hold, error))
        return false;
    handover->is_open = is_open(hold);
    return true;
}

/* The others are passed by their paths: only so many descriptors fit into a message. */
static void keep_some(ViommuFiles *files, GPtrArray *backing, GArray *fds)
{
    for (guint i = 0; i < fds->len; i++) {
        ViommuHandoverBacking *one = g_ptr_array_index(backing, i);
        int *fd = &g_array_index(fds, int, i);

        if (*fd >= 0 && files->n_backing++ >= BACKING_OPEN_MAX) {
            close(*fd);
            *fd = -1;
            one->is_open = false;
        }
    }
}

static bool follow_chain(ViommuFiles *files, const Judge *judge, Hold *hold, ViommuHandover *handover,
                         GArray **fds, GError **error)
{
    const ViommuChainRules rules = {judge->site->image_directories, judge->walker};
    ViommuChainImage image = {hold->path, hold->fd, hold->writable};

    if (!open_held(hold, false, error))
        return false;
    image.fd = hold->fd;
    g_array_unref(*fds);
    *fds = NULL;
    if (!viommu_chain_follow(&rules, &image, &handover->backing, fds, error)) {
        *fds = viommu_chain_fds_new();
        return false;
    }
    keep_some(files, handover->backing, *fds);
    return true;
}

/* The image's size, or what the request wants, which must not cut the image. */
static bool settle_size(const ViommuRequestDisk *disk, guint i, uint64_t image, uint64_t *ret_bytes,
                        GError **error)
{
    bool is_exact = disk->size_bytes != VIOMMU_UNSET_NUMBER,
         is_least = disk->size_min_bytes != VIOMMU_UNSET_NUMBER;
    uint64_t most = is_exact ? disk->size_bytes : disk->size_max_bytes;
    uint64_t least = is_exact ? disk->size_bytes : is_least ? disk->size_min_bytes : 0;
    g_autofree char *wanted = NULL, *has = NULL;

    if (most == VIOMMU_UNSET_NUMBER || viommu_overlay_round(most) >= image) {
        *ret_bytes = MAX(image, viommu_overlay_round(least));
        return true;
    }
    wanted = viommu_quantity_format(most);
    has = viommu_quantity_format(image);
    return viommu_fail(
        error, VIOMMU_ERROR_INVALID_REQUEST,
        "disks[%u].size%s is %s, but the guest would see %s of the image alone; omit the size, or give more",
        i, is_exact ? "" : "-max", wanted, has);
}

static bool settle_overlay(ViommuFiles *files, const ViommuRequestDisk *disk, guint i, int fd, GError **error)
{
    ViommuHandover *handover = g_ptr_array_index(files->handovers->disks, i);
    uint64_t bytes;

    if (strlen(handover->path) > VIOMMU_OVERLAY_BASE_MAX)
        return viommu_fail(
            error, VIOMMU_ERROR_INVALID_REQUEST,
            "its path has more than %u bytes, which is too long for the header of an overlay; move the image, or request the disk without an overlay",
            VIOMMU_OVERLAY_BASE_MAX);
    if (!viommu_overlay_measure(fd, (ViommuDiskFormat)disk->format, &bytes, error) ||
        !settle_size(disk, i, bytes, &handover->overlay_bytes, error))
        return false;
    handover->overlay =
        viommu_copies_overlay_path(files->site->copies, files->uuid, i, handover->overlay_bytes);
    return viommu_copies_check_room(files->site->copies, files->site->reserve_bytes, error);
}

/* Keeps a disk that is a base or has a digest open, to see whether it changes. */
static bool watch_disk(ViommuFiles *files, const ViommuRequestDisk *disk, guint i, Hold *hold, GError **error)
{
    ViommuFilesWatched *watched = &g_array_index(files->watched, ViommuFilesWatched, i);

    if (disk->overlay != 1 && !disk->digest)
        return true;
    if (!S_ISREG(hold->info.st_mode))
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "it is a block device, which can have neither overlay nor digest; use an image file, or omit both");
    if (!open_held(hold, false, error))
        return false;
    watched->fd = fcntl(hold->fd, F_DUPFD_CLOEXEC, 3);
    if (watched->fd < 0 || !viommu_file_state_get(watched->fd, &watched->state))
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "viommud cannot look at it: %s", g_strerror(errno));
    return disk->overlay != 1 || settle_overlay(files, disk, i, watched->fd, error);
}

static bool open_disk(ViommuFiles *files, const Judge *judge, guint i, GError **error)
{
    const ViommuRequestDisk *disk = g_ptr_array_index(judge->request->disks, i);
    ViommuHandover *handover = g_new0(ViommuHandover, 1);
    GArray *backing = viommu_chain_fds_new();
    Hold hold = {.fd = -1};
    const ViommuFilesWatched unwatched = {.fd = -1};
    int kept = -1;
    bool ok;

    g_ptr_array_add(files->handovers->disks, handover);
    g_array_append_val(files->watched, unwatched);
    ok = get_hold(judge, &disk->file, disk->read_only != 1 && disk->overlay != 1, &hold, error) &&
         hand_over_disk(judge, &hold, handover, error) && watch_disk(files, disk, i, &hold, error) &&
         (disk->format != VIOMMU_DISK_FORMAT_QCOW2 ||
          follow_chain(files, judge, &hold, handover, &backing, error));
    if (ok && handover->is_open)
        kept = take_fd(&hold.fd);
    close_fd(&hold.fd);
    g_array_append_val(files->disks, kept);
    g_ptr_array_add(files->backing, backing);
    if (!ok)
        g_prefix_error(error, "disks[%u].path '%s': ", i, disk->file.path);
    return ok;
}

/* Read now: the caller may write to it later. */
static bool open_seed(ViommuFiles *files, const Judge *judge, GError **error)
{
    const ViommuRequestSeed *seed = &judge->request->seed;
    Hold hold = {.fd = -1};

    if (!seed->present || seed->by == VIOMMU_SEED_BY_CREDENTIALS)
        return true;
    files->handovers->seed.path = viommu_copies_seed_path(files->site->copies, files->uuid);
    files->handovers->seed.is_fixed = true;
    if (!seed->user_data.path)
        return true;
    if (get_hold(judge, &seed->user_data, false, &hold, error) &&
        (S_ISREG(hold.info.st_mode) ||
         viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "it is not a regular file")) &&
        open_held(&hold, false, error))
        files->user_data = viommu_seed_read_data(hold.fd, error);
    close_fd(&hold.fd);
    if (!files->user_data)
        g_prefix_error(error, "seed.user-data '%s': ", seed->user_data.path);
    return files->user_data;
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
    return open_seed(files, judge, error);
}

static void close_watched(void *watched)
{
    close_fd(&((ViommuFilesWatched *)watched)->fd);
}

static ViommuFiles *files_new(const ViommuFilesSite *site, const ViommuRequest *request,
                              const ViommuFilesMachine *machine)
{
    ViommuFiles *files = g_new0(ViommuFiles, 1);

    files->site = site;
    files->request = request;
    files->uuid = g_strdup(machine->uuid);
    files->name = g_strdup(machine->name);
    files->disks = viommu_chain_fds_new();
    files->overlays = viommu_chain_fds_new();
    files->watched = g_array_new(FALSE, FALSE, sizeof(ViommuFilesWatched));
    g_array_set_clear_func(files->watched, close_watched);
    files->backing = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        files->copied[what] = -1;
    return files;
}

/* Before a file of the caller is touched. */
static bool take_image(ViommuFiles *files, ViommuRequest *request, GError **error)
{
    static const char *const none[] = {NULL};
    const ViommuFilesSite *site = files->site;
    const ViommuImagePlaces places = {site->image_directories ? site->image_directories : none, site->own};

    if (!request->image)
        return true;
    files->image = viommu_named_image_read(&places, request->image, &files->image_directory, error);
    return files->image &&
           viommu_site_image_merge(files->image, places.directories[files->image_directory], request, error);
}

ViommuFiles *viommu_files_open(const ViommuFilesSite *site, ViommuRequest *request,
                               const ViommuFilesMachine *machine, GError **error)
{
    g_autoptr(ViommuFiles) files = files_new(site, request, machine);
    g_autoptr(ViommuAccount) account = NULL;
    g_autoptr(ViommuMounts) mounts = NULL;
    bool trusted = machine->uid == 0 || machine->uid == geteuid();

    if (site->skip)
        return g_steal_pointer(&files);
    files->handovers = viommu_handovers_new();
    if (!take_image(files, request, error))
        return NULL;
    if (!machine->uuid || (!request->boot.kernel.path && !request->disks && !request->seed.present))
        return g_steal_pointer(&files);
    if (!site->own) {
        account = viommu_account_find(machine->uid);
        mounts = viommu_mounts_of_self(error);
        if (!mounts)
            return NULL;
    }
    return open_all(files, &(Judge){site, request, {account, mounts}, trusted}, error)
               ? g_steal_pointer(&files)
               : NULL;
}

void viommu_files_free(ViommuFiles *files)
{
    if (!files)
        return;
    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        close_fd(&files->copied[what]);
    g_array_unref(files->disks);
    g_array_unref(files->overlays);
    g_array_unref(files->watched);
    g_ptr_array_unref(files->backing);
    g_clear_pointer(&files->user_data, g_bytes_unref);
    viommu_handovers_free(files->handovers);
    viommu_site_image_free(files->image);
    g_free(files->uuid);
    g_free(files->name);
    g_free(files);
}

const ViommuHandovers *viommu_files_handovers(const ViommuFiles *files)
{
    return files->handovers;
}

const ViommuSiteImage *viommu_files_image(const ViommuFiles *files, unsigned *ret_directory)
{
    *ret_directory = files->image_directory;
    return files->image;
}

const ViommuKernel *viommu_files_kernel(const ViommuFiles *files)
{
    return files->kernel_is_known ? &files->kernel : NULL;
}

uint64_t viommu_files_copied_bytes(const ViommuFiles *files)
{
    uint64_t sum = files->handovers && files->handovers->seed.path ? SEED_BYTES : 0;

    if (files->user_data)
        sum += g_bytes_get_size(files->user_data);
    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        sum += files->copied_bytes[what];
    return sum;
}

int viommu_files_disk(const ViommuFiles *files, unsigned i)
{
    return g_array_index(files->disks, int, i);
}

int viommu_files_backing(const ViommuFiles *files, unsigned i, unsigned j)
{
    return g_array_index((const GArray *)g_ptr_array_index(files->backing, i), int, j);
}
