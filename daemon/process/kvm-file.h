/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-file: the file that keeps the verdict about KVM, so that a restart of viommud proves nothing
 * again, and every user's viommuctl knows it.  Does not know how a verdict is learnt. */
#pragma once

#include "lib/host/kvm-verdict.h"

/** The directory of the system's viommud, or of a user's own.  Owned, g_free(). */
char *viommu_kvm_directory(bool user);
/** The verdict that is kept in @directory, if it was learnt with @stamp; else NULL.  Owned. */
ViommuKvmVerdict *viommu_kvm_recall(const char *directory, const char *stamp);
/** Keeps @verdict there.  False: it cannot be written. */
bool viommu_kvm_remember(const char *directory, const ViommuKvmVerdict *verdict, const char *stamp);
/** At most @max bytes from the beginning of the regular file @path, and a zero byte.  NULL: it
 *  cannot be read.  Owned, g_free(). */
char *viommu_kvm_file_read(const char *path, size_t max, size_t *ret_size);
