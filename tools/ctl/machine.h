/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine: the common part of the verbs with a daemon: connect, find a machine by name, call it,
 * read its properties. */
#pragma once

#include "tools/client/client.h"
#include "tools/ctl/ctl.h"

/* Longer than any launch or orderly stop takes; the default timeout of D-Bus clients is 25
 * seconds. */
#define VIOMMU_CTL_TIMEOUT_USEC (5 * G_TIME_SPAN_MINUTE)
/* A site can allow an hour for a verification; the launch comes before it. */
#define VIOMMU_CTL_PROOF_USEC (65 * G_TIME_SPAN_MINUTE)

/** The number of --timeout; without the option, *seconds stays.  Fails: USAGE. */
bool viommu_ctl_read_timeout(const ViommuCtl *ctl, guint64 *seconds, GError **error);
ViommuClient *viommu_ctl_connect(const ViommuCtl *ctl, GError **error);
/** Whether polkit may ask for a password on this terminal for a call on @client. */
bool viommu_ctl_may_be_asked(const ViommuCtl *ctl, const ViommuClient *client);
/** The object path of the machine that the first word names. Owned, g_free(). */
char *viommu_ctl_find_machine(ViommuCtl *ctl, ViommuClient *client, GError **error);
/** Connects, finds the machine, and makes @call on it; fills in path, interface and tick.  @what is
 *  shown as progress.  *ret_reply as in viommu_client_call(); may be NULL. */
bool viommu_ctl_call_machine(ViommuCtl *ctl, ViommuClientCall call, const char *what, GVariant **ret_reply,
                             GError **error);
/** The machine's properties, a{sv}. Owned. */
GVariant *viommu_ctl_machine_properties(ViommuCtl *ctl, ViommuClient *client, const char *path,
                                        GError **error);
/** A property of the manager: all of them together may exceed the limits of a message.  @type: as
 *  in "a{sv}".  Owned. */
GVariant *viommu_ctl_manager_property(ViommuClient *client, const char *name, const char *type,
                                      GError **error);
/** How a state is shown. */
ViommuStyle viommu_ctl_state_style(const char *state);
