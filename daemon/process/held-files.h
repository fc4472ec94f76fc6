/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* held-files: the descriptors that users have sent, and those that were made of them; closed where
 * nobody waits.  close(2) waits for the server of a FUSE file (FLUSH), for ever if the server
 * likes, and no signal ends that.  So each user has threads that close this user's files, and a
 * user whose threads all hang may send no more.  Any thread.  Does not know what the files are
 * for. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* How many files of one user are closed at once. */
#define VIOMMU_HELD_CLOSERS_MAX 4u
/* A close that takes longer hangs. */
#define VIOMMU_HELD_CLOSE_USEC (1 * G_USEC_PER_SEC)

/** @fd is user @uid's; viommu_held_close() closes it. */
void viommu_held_add(int fd, uint32_t uid);
/** Every descriptor of @fds, of int, is user @uid's. */
void viommu_held_add_all(const GArray *fds, uint32_t uid);
/** Another descriptor of the same file, and of the same user.  Below 0, and errno: there is
 *  none. */
int viommu_held_dup(int fd);
/** Closes @fd later, on a thread of its user; at once, on this thread, when it was not added. */
void viommu_held_close(int fd);
/** The same as a GDestroyNotify of an array of int; below 0 there is nothing to close. */
void viommu_held_clear(void *fd);
/** An array of int, which closes so what it has.  Owned. */
GArray *viommu_held_array_new(void);
/** Whether user @uid may have viommud hold @n more.  Fails: BUSY when viommud holds a sixteenth of
 *  all that it may open for that user, and when that user's closing threads all hang. */
bool viommu_held_check(uint32_t uid, unsigned n, GError **error);
/** How many are held for user @uid; not yet closed ones, too. */
unsigned viommu_held_count(uint32_t uid);
