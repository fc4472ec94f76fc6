/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sysroot: small files below a directory that stands for "/", this machine's or a recorded one's.
 * The only file of lib/ that reads files; it never writes.  A file that is missing, too long or not
 * text counts as absent. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct ViommuRoot ViommuRoot;

/** @path "/" is this machine.  Below any other directory, links are followed as if it were "/", so
 *  that a recording cannot lead out of itself; that needs Linux 5.6.  Fails: NOT_FOUND. */
ViommuRoot *viommu_root_open(const char *path, GError **error);
void viommu_root_close(ViommuRoot *root);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuRoot, viommu_root_close)

/* All paths are relative to the root: "sys/class/iommu". */

/** The text of a file of at most VIOMMU_ROOT_TEXT_MAX bytes without the newline at its end; NULL
 *  when there is no such text. Owned, g_free(). */
char *viommu_root_text(const ViommuRoot *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** The number in a file that has nothing else: decimal, or hexadecimal after "0x"; false for
 *  anything else, negative numbers too. */
bool viommu_root_number(const ViommuRoot *root, uint64_t *ret_number, const char *format, ...)
    G_GNUC_PRINTF(3, 4);
/** The last part of where a link leads; NULL when there is no link. Owned, g_free(). */
char *viommu_root_link(const ViommuRoot *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** The same, all of it: "../../devices/pci0000:00/...". Owned, g_free(). */
char *viommu_root_target(const ViommuRoot *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** The kernel's release, "6.12.43+deb13-amd64": a service may see nothing of /proc, and on this
 *  machine needs not. Owned, g_free(). */
char *viommu_root_release(const ViommuRoot *root);
/** The names in a directory, sorted; NULL when there is none. Owned, g_strfreev(). */
char **viommu_root_list(const ViommuRoot *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
bool viommu_root_exists(const ViommuRoot *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** Whether the caller may open a file for reading and writing: 1 or 0; VIOMMU_UNSET: there is no
 *  such file. */
int viommu_root_usable(const ViommuRoot *root, const char *format, ...) G_GNUC_PRINTF(2, 3);
/** The lines of a file of at most @max bytes that may hold any bytes but 0, and at the end an
 *  empty one; NULL: it cannot be read. Owned, g_strfreev(). */
char **viommu_root_lines(const ViommuRoot *root, const char *path, size_t max);
/** The lines of a file of process 1, "mountinfo" or "net/route", whose mounts and network are the
 *  host's.  A recording may have those of the process that recorded it instead. Owned,
 *  g_strfreev(). */
char **viommu_root_process_lines(const ViommuRoot *root, const char *name, size_t max);
/** All of a file of at most @max bytes.  NULL: it cannot be read, and *ret_errno says why (EFBIG:
 *  it is longer). */
GBytes *viommu_root_bytes(const ViommuRoot *root, const char *path, size_t max, int *ret_errno);

#define VIOMMU_ROOT_TEXT_MAX 8192
#define VIOMMU_ROOT_LIST_MAX 8192 /* names of one directory; there the rest is left out */
