/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launch: the common part of launch and run: launching a request, and removing a machine that is
 * bound to viommuctl. */
#pragma once

#include "tools/ctl/machine.h"
#include "tools/ctl/request.h"

typedef struct ViommuCtlLaunched {
    ViommuClient *client; /* the machine may be bound to its connection; owned */
    char *path;           /* of the object; owned */
    GVariant *properties; /* a{sv}; owned */
    bool bound;
} ViommuCtlLaunched;

/** Launches @request (a{sv}, as of viommu_ctl_request_try()). */
bool viommu_ctl_launch_request(ViommuCtl *ctl, GVariant *request, ViommuCtlLaunched *ret_launched,
                               GError **error);
void viommu_ctl_launched_clear(ViommuCtlLaunched *launched);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(ViommuCtlLaunched, viommu_ctl_launched_clear)
/** Warns that the machine is gone although viommuctl did not remove it.  @result: its property
 *  Result. */
void viommu_ctl_launched_lament(const ViommuCtl *ctl, const ViommuCtlLaunched *launched, const char *result);
/** Removes the machine at once; succeeds if it is already gone. */
bool viommu_ctl_launched_remove(const ViommuCtlLaunched *launched, GError **error);
