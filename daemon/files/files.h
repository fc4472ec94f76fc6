/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* files: the files that a request names: opened with the rights of the user who asks, and brought
 * into a form in which nobody can put another file in their place before libvirt, which is root,
 * has opened them:
 *
 *   - a kernel or an initrd as a copy of our own;
 *   - a disk, and what it is based on, as the open file itself, or by its path, when only root (or
 *     the daemon's user) can write to any directory on the way; the plan says which of the two.
 *     libvirt gives files that it gets by path to QEMU's user; a user's own daemon, whose QEMU is
 *     that user, prefers the path.
 *
 * A file comes as a file descriptor, whose rights are then the caller's proof, or as a path.  On
 * the system's bus a path is walked without "..", without symbolic links, and judged by owner and
 * mode for the user who asks; a file that the daemon cannot see or read from inside its sandbox
 * must come as a descriptor.  A user's own daemon opens paths as they are.
 * Does not know libvirt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "lib/request/file-handover.h"
#include "lib/guest/kernel.h"
#include "lib/request/request.h"

/* The site's part; all borrowed.  What is added here, and what others than viommud-files want to
 * know of ViommuFiles, goes through daemon/files/reader-words.c, too. */
typedef struct ViommuFilesSite {
    /* libvirt is on another host, which has files of its own: nothing is looked at */
    bool skip;
    bool own;                             /* a user's own daemon */
    const char *copies;                   /* directory for copies */
    const char *const *image_directories; /* where backing and data files may be */
} ViommuFilesSite;

typedef struct ViommuFiles ViommuFiles;

/** Opens what @request names, for user @uid's machine @uuid.  Takes the descriptors that it needs
 *  out of @request.  Blocks.  Owned.  Fails, naming the key and the path: POLICY_REFUSED for what
 *  @uid may not, and for what the site does not want; INVALID_REQUEST for what is not there or not
 *  what it should be. */
ViommuFiles *viommu_files_open(const ViommuFilesSite *site, const ViommuRequest *request, uint32_t uid,
                               const char *uuid, GError **error);
void viommu_files_free(ViommuFiles *files);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuFiles, viommu_files_free)
/** How libvirt gets them; NULL: nothing was looked at. */
const ViommuHandovers *viommu_files_handovers(const ViommuFiles *files);
/** What was read of boot.kernel; NULL: nothing. */
const ViommuKernel *viommu_files_kernel(const ViommuFiles *files);
/** How large its copies will be, together. */
uint64_t viommu_files_copied_bytes(const ViommuFiles *files);
/** Makes the copies, where QEMU's group @group and nobody else passes; VIOMMU_UNSET_NUMBER: it is
 *  not known.  Blocks.  Fails as daemon/files/boot-copies.h says. */
bool viommu_files_copy(const ViommuFiles *files, uint64_t group, GError **error);
/** The open file of disk @i, for a handover that is open. */
int viommu_files_disk(const ViommuFiles *files, unsigned i);
/** The open file of the @j-th image that disk @i is based on, for one that is open. */
int viommu_files_backing(const ViommuFiles *files, unsigned i, unsigned j);
