/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held-files: descriptors that users have sent, and their duplicates; closes them on threads that
 * may wait.  close(2) waits for the server of a FUSE file (FLUSH), possibly for ever, and no signal
 * ends that.  So each user has threads that close this user's files, and a user whose threads all
 * hang may send no more.  Any thread.  Does not know the purpose of the files. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* How many files of one user are closed at the same time. */
#define VIOMMU_HELD_CLOSERS_MAX 4u
/* A close that takes longer counts as hanging. */
#define VIOMMU_HELD_CLOSE_USEC (1 * G_USEC_PER_SEC)

/** Records that @fd belongs to user @uid; close it with viommu_held_close(). */
void viommu_held_add(int fd, uint32_t uid);
/** The same for each descriptor of @fds, of int. */
void viommu_held_add_all(const GArray *fds, uint32_t uid);
/** A duplicate of @fd, with the same owner.  Negative, with errno: failed. */
int viommu_held_dup(int fd);
/** Closes @fd later, on a thread of its user; if it was not added, at once, on this thread. */
void viommu_held_close(int fd);
/** The same as a GDestroyNotify for an array of int; ignores negative numbers. */
void viommu_held_clear(void *fd);
/** An array of int that closes its descriptors like this.  Owned. */
GArray *viommu_held_array_new(void);
/** Whether viommud may hold @n more for user @uid.  Fails: BUSY when it holds a sixteenth of all
 *  that it may open for that user, or when that user's closing threads all hang. */
bool viommu_held_check(uint32_t uid, unsigned n, GError **error);
/** How many are held for user @uid, including those that are not closed yet. */
unsigned viommu_held_count(uint32_t uid);
