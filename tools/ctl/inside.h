/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* inside: the command of "run --inside" runs in the guest: with a key and a port of its own, and
 * with files that are copied out. */
#pragma once

#include "tools/ctl/launch.h"

typedef struct ViommuInside ViommuInside;

/** Makes a key, and adds it to the *request (owned), with a port to the guest where it has none.
 *  Owned.  Fails: INTERNAL if there is no ssh-keygen; USAGE if a --get is wrong. */
ViommuInside *viommu_ctl_inside_prepare(const ViommuCtl *ctl, GVariant **request, GError **error);
void viommu_ctl_inside_free(ViommuInside *inside);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ViommuInside, viommu_ctl_inside_free)
/** Waits for ssh, runs the command in the guest and copies the files of --get out, also after a
 *  failure.  The exit status of @ctl is that of the command.  After a failure, prints the last
 *  lines of the console.  Fails: TIMEOUT if nobody can log in; LOST if the guest is lost meanwhile;
 *  OUTPUT if the command succeeds, but a file cannot be copied. */
bool viommu_ctl_inside_run(ViommuInside *inside, ViommuCtl *ctl, const ViommuCtlLaunched *launched,
                           GError **error);
