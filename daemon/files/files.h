/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: opens the files that a request names, with the rights of the user, and passes them on in
 * such a way that nobody can replace them before libvirt, which is root, opens them:
 * - a kernel or an initrd as viommud's own copy;
 * - a disk and its backing files as open files, or by path when only root (or the daemon's user)
 * can write to the directories on the path; the plan chooses;
 * - a disk with an overlay likewise, but read-only: what the guest writes goes into viommud's own
 * file over it.
 * libvirt gives a file that it gets by path to QEMU's user; a user's own daemon, whose QEMU is that
 * user, prefers the path.
 * A file arrives as a descriptor, whose access mode proves the caller's rights, or as a path.  On
 * the system bus a path is walked without "..", without symbolic links, and judged by owner and
 * mode for the caller; a file that the daemon cannot see or read in its sandbox must arrive as a
 * descriptor. A user's own daemon opens paths as they are.  The disk of an image that is named is
 * looked up first, and then opened like any other.  Does not know libvirt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/files/boot-copies.h"
#include "daemon/files/digest.h"
#include "lib/request/file-handover.h"
#include "lib/guest/kernel.h"
#include "lib/request/request.h"
#include "lib/request/site-image.h"

/* The site's part; all borrowed.  Add a new member to daemon/files/reader-words.c, too; likewise
 * whatever others than viommud-files must know of ViommuFiles. */
typedef struct ViommuFilesSite {
    /* libvirt is on another host, with files of its own: nothing is opened */
    bool skip;
    bool own;               /* a user's own daemon */
    const char *copies;     /* directory for copies, seeds and overlays */
    uint64_t reserve_bytes; /* what overlays leave free there; 0: nothing */
    /* where images are looked up by name, and which may have backing and data files; the latter is
     * of no account for a user's own daemon.  NULL: none */
    const char *const *image_directories;
} ViommuFilesSite;

typedef struct ViommuFilesMachine {
    uint32_t uid; /* of its user */
    /* @uuid NULL: a dry run, for which only the image's name is looked up */
    const char *uuid, *name;
} ViommuFilesMachine;

typedef struct ViommuFiles ViommuFiles;

/** Opens the files of @request for @machine; borrows @site and @request.  Takes the needed
 *  descriptors out of @request, and merges its image into it.  Blocks.  Owned.  Fails, and names
 *  the key and the path:
 *  POLICY_REFUSED for what the user may not do or the site does not allow; INVALID_REQUEST for a
 *  file that does not exist or has the wrong kind; BUSY when overlays have no room. */
ViommuFiles *viommu_files_open(const ViommuFilesSite *site, ViommuRequest *request,
                               const ViommuFilesMachine *machine, GError **error);
void viommu_files_free(ViommuFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuFiles, viommu_files_free)
/** How libvirt gets the files; NULL: nothing was opened. */
const ViommuHandovers *viommu_files_handovers(const ViommuFiles *files);
/** What the site says of the request's image, and in which of its directories that is; NULL: the
 *  request names none. */
const ViommuSiteImage *viommu_files_image(const ViommuFiles *files, unsigned *ret_directory);
/** What was read from boot.kernel; NULL: nothing. */
const ViommuKernel *viommu_files_kernel(const ViommuFiles *files);
/** The size of all copies and of the seed together. */
uint64_t viommu_files_copied_bytes(const ViommuFiles *files);
/** What disk @i was when it was opened; NULL: it has neither overlay nor digest. */
const ViommuFileState *viommu_files_state(const ViommuFiles *files, unsigned i);
/** The digest of disk @i, which has a state.  Blocks for long.  Owned.  Fails as
 *  viommu_digest_compute(). */
char *viommu_files_digest(const ViommuFiles *files, unsigned i, GError **error);
/** Makes the copies, overlays and seed in a directory that only QEMU's group @group can enter;
 *  VIOMMU_UNSET_NUMBER: unknown.  Blocks.  Fails: see boot-copies.h, overlay.h and seed.h; BUSY
 *  when a disk with an overlay or a digest was written or replaced since it was opened. */
bool viommu_files_prepare(ViommuFiles *files, uint64_t group, GError **error);
/** The overlay of disk @i, open for reading and writing, when it was made; -1: none. */
int viommu_files_overlay(const ViommuFiles *files, unsigned i);
/** The open file of disk @i, if its handover is open. */
int viommu_files_disk(const ViommuFiles *files, unsigned i);
/** The open file of the @j-th backing file of disk @i, if that is open. */
int viommu_files_backing(const ViommuFiles *files, unsigned i, unsigned j);
