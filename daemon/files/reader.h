/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* reader: a process for the files of one launch.  What daemon/files/files.h does is done there,
 * with a deadline: a file that never answers costs its owner a launch, and nobody else anything.
 * What is late is killed and not waited for; as long as it is there all the same (no signal ends a
 * process whose file system does not answer), it counts against its user. viommud-files forks
 * these processes; it is started with viommud, and holds no file of anybody.  Does not know
 * libvirt. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>
#include "daemon/libvirt/backend.h"
#include "daemon/files/files.h"
#include "daemon/process/loop.h"
#include "lib/plan/plan.h"

/* How many of a user's processes may hang before no more are begun for him. */
#define VIOMMU_READERS_HUNG_MAX 4u

typedef struct ViommuReaders ViommuReaders;

/** Starts viommud-files, which is beside this program or in its libexec directory.  @timeout_sec:
 *  for opening and reading the files of one launch, and again for copying them.  Loop thread,
 *  before anybody's files are here.  Fails: INTERNAL. */
bool viommu_readers_new(ViommuLoop *loop, uint32_t timeout_sec, ViommuReaders **ret_readers, GError **error);
/** All readers must be gone; processes that hang are left to themselves. */
void viommu_readers_free(ViommuReaders *readers);
/** How many of user @uid's processes hang. */
unsigned viommu_readers_hung(const ViommuReaders *readers, uint32_t uid);

typedef struct ViommuReader ViommuReader;

/** A process for the files of @request, whose descriptors it takes, for user @uid's machine @uuid.
 *  @site and @request are borrowed for as long as it lives.  Loop thread.  Fails: BUSY when too
 *  many of @uid's hang. */
bool viommu_reader_new(ViommuReaders *readers, const ViommuFilesSite *site, ViommuRequest *request,
                       uint32_t uid, const char *uuid, ViommuReader **ret_reader, GError **error);
/** Ends its process, or kills it.  Loop thread. */
void viommu_reader_free(ViommuReader *reader);
/** As viommu_files_open(); blocks, but no longer than the timeout.  Fails also: BUSY when that is
 *  over, naming the files. */
bool viommu_reader_open(ViommuReader *reader, GError **error);
/** As viommu_files_handovers(), viommu_files_kernel(), viommu_files_copied_bytes(); after it was
 *  opened. */
const ViommuHandovers *viommu_reader_handovers(const ViommuReader *reader);
const ViommuKernel *viommu_reader_kernel(const ViommuReader *reader);
uint64_t viommu_reader_copied_bytes(const ViommuReader *reader);
/** Those that @plan, which must live as long, has libvirt given open: of ViommuBackendFile, which
 *  borrow the descriptors.  Owned. */
GArray *viommu_reader_open_files(const ViommuReader *reader, const ViommuPlan *plan);
/** Closes the open disks, when libvirt has them: outside the loop, since that may take as long as
 *  their file systems like. */
void viommu_reader_release(ViommuReader *reader);
/** As viommu_files_copy(); blocks, and fails, as the opening does. */
bool viommu_reader_copy(ViommuReader *reader, uint64_t group, GError **error);
