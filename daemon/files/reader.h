/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader: a process for the files of one launch.  It does what daemon/files/files.h describes, with
 * a deadline: a file that never answers makes its owner's launch fail, and affects no other user.
 * A late process is killed and not waited for; while it still exists (no signal ends a process
 * whose file system does not respond), it counts against its user.  viommud-files forks these
 * processes; it starts with viommud, and holds no user's file.  Does not know libvirt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/libvirt/backend.h"
#include "daemon/files/files.h"
#include "daemon/process/loop.h"
#include "lib/plan/plan.h"

/* With so many hanging processes of a user, further launches of that user fail. */
#define VIOMMU_READERS_HUNG_MAX 4u

typedef struct ViommuReaders ViommuReaders;

/** Starts viommud-files, which is beside this program or in its libexec directory.  @timeout_sec:
 *  for opening and reading the files of one launch, and again for preparing them;
 *  @digest_timeout_sec: for their digests.  Loop thread, before any user's file arrives.  Fails:
 *  INTERNAL. */
bool viommu_readers_new(ViommuLoop *loop, uint32_t timeout_sec, uint32_t digest_timeout_sec,
                        ViommuReaders **ret_readers, GError **error);
/** Free all readers first; hanging processes are left behind. */
void viommu_readers_free(ViommuReaders *readers);
/** How many of user @uid's processes hang. */
unsigned viommu_readers_hung(const ViommuReaders *readers, uint32_t uid);

typedef struct ViommuReader ViommuReader;

/** A process for the files of @request, whose descriptors it takes, for @machine, which is copied.
 *  @site and @request are borrowed for its life.  Loop thread.  Fails: BUSY when too many of the
 *  user's processes hang. */
bool viommu_reader_new(ViommuReaders *readers, const ViommuFilesSite *site, ViommuRequest *request,
                       const ViommuFilesMachine *machine, ViommuReader **ret_reader, GError **error);
/** Ends its process, or kills it.  Loop thread. */
void viommu_reader_free(ViommuReader *reader);
/** Like viommu_files_open(); blocks, but no longer than the timeout.  Also fails: BUSY when the
 *  time is over, and names the files. */
bool viommu_reader_open(ViommuReader *reader, GError **error);
/** Like viommu_files_handovers(), viommu_files_kernel(); after the opening. */
const ViommuHandovers *viommu_reader_handovers(const ViommuReader *reader);
const ViommuKernel *viommu_reader_kernel(const ViommuReader *reader);
/** What the preparation will take. */
ViommuCopiesSize viommu_reader_size(const ViommuReader *reader);
/** Compares the digests that the request names with those that are remembered, or were just
 *  computed; false in *ret_known: some must be computed.  Loop thread.  Fails: INVALID_REQUEST for
 *  another digest. */
bool viommu_reader_recall(ViommuReader *reader, bool *ret_known, GError **error);
/** Computes those that were not known; blocks and fails like the opening. */
bool viommu_reader_digest(ViommuReader *reader, GError **error);
/** The open files that @plan, which must live as long, passes to libvirt: of ViommuBackendFile,
 *  which borrow the descriptors.  Owned. */
GArray *viommu_reader_open_files(const ViommuReader *reader, const ViommuPlan *plan);
/** Closes the open disks, after libvirt got them.  Not on the loop: a slow file system can delay
 *  it. */
void viommu_reader_release(ViommuReader *reader);
/** Like viommu_files_prepare(); blocks and fails like the opening. */
bool viommu_reader_prepare(ViommuReader *reader, uint64_t group, GError **error);
