/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* osinfo: what osinfo-db, where it is installed, says of a guest that lib/facts/guest-os.c does not
 * know.  It says nothing of IOMMU drivers, so this is a suggestion and decides nothing. */
#pragma once

#include "lib/host/sysroot.h"

/** Whether guest.os @name (may be NULL) is not known here, so that osinfo-db is worth a look. */
bool viommu_osinfo_is_asked(const char *name);
/** A sentence about the guest with the short id @name: its full name, its family, whether it has
 *  virtio devices, and a known guest that it derives from.  NULL: osinfo-db is not installed, or
 *  does not know @name.  Reads up to a thousand small files.  Owned. */
char *viommu_osinfo_suggest(const ViommuRoot *root, const char *name);
