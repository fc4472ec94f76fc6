/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: what launch and run share: a request to a machine, and the end of one that is bound to us. */
#pragma once

#include "tools/ctl/machine.h"

typedef struct ViommuCtlLaunched {
    ViommuClient *client; /* the machine may be bound to its connection; owned */
    char *path;           /* of the object; owned */
    GVariant *properties; /* a{sv}; owned */
    bool bound;
} ViommuCtlLaunched;

/** Launches the request that the first word names, with the keys that the command line gives in place of its own. */
bool viommu_ctl_launch_request(ViommuCtl *ctl, ViommuCtlLaunched *ret_launched, GError **error);
void viommu_ctl_launched_clear(ViommuCtlLaunched *launched);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuCtlLaunched, viommu_ctl_launched_clear)
/** Says that the machine is gone though nobody here ended it, and why: @result is its property Result. */
void viommu_ctl_launched_lament(const ViommuCtl *ctl, const ViommuCtlLaunched *launched, const char *result);
/** Ends the machine at once; being gone is success. */
bool viommu_ctl_launched_remove(const ViommuCtlLaunched *launched, GError **error);
