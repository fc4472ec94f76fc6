/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files-prepare: makes copies, overlays and the seed, after the domain stands, and sees whether the
 * bases have changed since they were opened. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "daemon/files/files-internal.h"
#include "daemon/files/overlay.h"
#include "daemon/files/seed.h"
#include "lib/base/error.h"

static const ViommuRequestDisk *asked_disk(const ViommuFiles *files, guint i)
{
    return g_ptr_array_index(files->request->disks, i);
}

static const ViommuHandover *disk_handover(const ViommuFiles *files, guint i)
{
    return g_ptr_array_index(files->handovers->disks, i);
}

const ViommuFileState *viommu_files_state(const ViommuFiles *files, unsigned i)
{
    const ViommuFilesWatched *watched = &g_array_index(files->watched, ViommuFilesWatched, i);

    return watched->fd >= 0 ? &watched->state : NULL;
}

char *viommu_files_digest(const ViommuFiles *files, unsigned i, GError **error)
{
    char *digest = viommu_digest_compute(g_array_index(files->watched, ViommuFilesWatched, i).fd, error);

    if (!digest)
        g_prefix_error(error, "disks[%u].path '%s': ", i, asked_disk(files, i)->file.path);
    return digest;
}

/* --- What is made --- */

static bool guard_directory(const ViommuFiles *files, guint n_disks, uint64_t group, GError **error)
{
    bool any = files->handovers && files->handovers->seed.path;

    for (int what = 0; what < VIOMMU_COPY_LAST; what++)
        any = any || files->copied[what] >= 0;
    for (guint i = 0; i < n_disks; i++)
        any = any || disk_handover(files, i)->overlay;
    return !any || group == VIOMMU_UNSET_NUMBER || files->site->own ||
           viommu_copies_guard(files->site->copies, (gid_t)group, error);
}

static bool make_copies(const ViommuFiles *files, GError **error)
{
    for (int what = 0; what < VIOMMU_COPY_LAST; what++) {
        const ViommuCopySource source = {files->copied[what], files->copied_bytes[what]};

        if (source.fd < 0 ||
            viommu_copies_make(files->site->copies, files->uuid, (ViommuCopy)what, &source, error))
            continue;
        g_prefix_error(error, "%s: ", viommu_files_boot_keys[what]);
        return false;
    }
    return true;
}

/* libvirt and QEMU are told the base in another way; its name in the overlay is for people. */
static bool make_overlay(ViommuFiles *files, guint i, GError **error)
{
    const ViommuHandover *handover = disk_handover(files, i);
    g_autofree char *base = g_strconcat(handover->path[0] == '/' ? "" : "/", handover->path, NULL);
    const ViommuOverlay overlay = {handover->overlay, base, (ViommuDiskFormat)asked_disk(files, i)->format,
                                   handover->overlay_bytes};
    int fd = -1;
    bool ok = !handover->overlay || viommu_overlay_make(&overlay, error);

    if (ok && handover->overlay) {
        fd = open(handover->overlay, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        ok = fd >= 0 || viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot open the overlay '%s': %s",
                                    handover->overlay, g_strerror(errno));
    }
    g_array_append_val(files->overlays, fd);
    return ok;
}

static bool make_seed(const ViommuFiles *files, GError **error)
{
    const ViommuRequestSeed *asked = &files->request->seed;
    const ViommuSeed seed = {
        .is_ignition = asked->by == VIOMMU_SEED_BY_IGNITION,
        .instance = files->uuid,
        .hostname = asked->hostname ? asked->hostname : files->name,
        .user = viommu_request_seed_user(asked),
        .ssh_keys = (const char *const *)asked->ssh_keys,
        .data = files->user_data,
    };

    if (!files->handovers || !files->handovers->seed.path)
        return true;
    /* for what libarchive collects */
    g_setenv("TMPDIR", files->site->copies, TRUE);
    return viommu_copies_make_directory(files->site->copies, error) &&
           viommu_seed_make(&seed, files->handovers->seed.path, error);
}

/* --- What must not have changed --- */

/* A file that is passed by its path may also have been replaced. */
static bool is_unchanged(const ViommuFilesWatched *watched, const ViommuHandover *handover)
{
    ViommuFileState state;
    struct stat there;

    if (!viommu_file_state_get(watched->fd, &state) || !viommu_file_state_is_same(&watched->state, &state))
        return false;
    return !handover->is_fixed || stat(handover->path, &there) < 0 ||
           (there.st_dev == state.device && there.st_ino == state.inode);
}

static bool check_unchanged(const ViommuFiles *files, guint i, GError **error)
{
    const ViommuFilesWatched *watched = &g_array_index(files->watched, ViommuFilesWatched, i);

    if (watched->fd < 0 || is_unchanged(watched, disk_handover(files, i)))
        return true;
    return viommu_fail(
        error, VIOMMU_ERROR_BUSY,
        "disks[%u].path '%s': it was written or replaced while this machine was launched; launch again when it is complete",
        i, asked_disk(files, i)->file.path);
}

bool viommu_files_prepare(ViommuFiles *files, uint64_t group, GError **error)
{
    guint n_disks = files->handovers ? files->handovers->disks->len : 0;

    if (!guard_directory(files, n_disks, group, error) || !make_copies(files, error))
        return false;
    for (guint i = 0; i < n_disks; i++)
        if (!make_overlay(files, i, error))
            return false;
    if (!make_seed(files, error))
        return false;
    for (guint i = 0; i < n_disks; i++)
        if (!check_unchanged(files, i, error))
            return false;
    return true;
}

int viommu_files_overlay(const ViommuFiles *files, unsigned i)
{
    return i < files->overlays->len ? g_array_index(files->overlays, int, i) : -1;
}
