/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth: decides which caller may do what.  The whole policy:
 *
 *   On a user's own bus (--user) that user and root may call everything; other users may call
 *   nothing.
 *
 *   On the system bus
 *     - root, and the user that the daemon runs as, may call everything; only they may change the
 *       daemon's log;
 *     - all users may read facts about the host and make plans;
 *     - all users see the name, the state and the result of each machine that has run, and nothing
 *       of a machine that has not run, not even that it exists;
 *     - the owner of a machine sees all of it;
 *     - the members of one group ([daemon] group, "viommu") may launch machines and manage their
 *       own;
 *     - a member's launch gets the host's devices that the site lists; for other devices polkit
 *       must grant org.viommu1.assign-device (device-permission.h);
 *     - other users who want to manage a machine need polkit's org.viommu1.manage-all; without
 *       polkit they are refused.
 *   To manage a machine is to stop, kill, reset, suspend or resume it, to extend its lease, to read
 *   its XML, to use its console, and to run commands in its guest.  The owner, also a former one,
 *   and root may read a console's log.
 *   Only the owner may attach a device, not even root to another's machine: files and devices are
 *   judged for the owner, whose rights QEMU has.  The owner must be a member, and the rules for
 *   devices are those of a launch.
 *
 *   A method that is not in the table of auth.c is denied to every caller.
 *
 * The caller is the user that the bus reports, never a process.  The system's user database tells
 * the members of the group, as for the bus's own policy and polkit.  It is asked for each call that
 * needs it, so a user who has left the group cannot launch, even over an old connection.
 * While polkit or the database is asked, nothing is decided.  With the answer the call returns to
 * the queue and is judged again, because the machine may be gone, or another's, by then.  If the
 * database does not answer, the call is refused for now.
 * All users get the signals of a machine that has run; before that, only the connection that
 * launched it does.  Signals have names, states and results only; they name other changed
 * properties without their values. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "daemon/bus/peers.h"
#include "daemon/process/loop.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"
#include "lib/policy/asker.h"
#include "lib/host/host.h"
#include "lib/request/request.h"

typedef struct ViommuAuth ViommuAuth;

typedef enum ViommuAction {
    VIOMMU_ACTION_READ,   /* read: names and states, the host */
    VIOMMU_ACTION_PLAN,   /* plan a launch */
    VIOMMU_ACTION_SHOW,   /* read properties */
    VIOMMU_ACTION_LAUNCH, /* launch a machine of the caller's own */
    VIOMMU_ACTION_MANAGE, /* stop, change or look into a machine */
    VIOMMU_ACTION_EQUIP,  /* give a machine of the caller's own a device */
    VIOMMU_ACTION_TUNE,   /* change the daemon itself: its log */
    VIOMMU_ACTION_LAST,
} ViommuAction;

typedef enum ViommuAuthAnswer {
    VIOMMU_AUTH_NO,
    VIOMMU_AUTH_YES,
    /* polkit or the user database is being asked; the call is answered, or judged again */
    VIOMMU_AUTH_LATER,
    VIOMMU_AUTH_LAST,
} ViommuAuthAnswer;

/* What auth uses; all borrowed. */
typedef struct ViommuAuthContext {
    ViommuLoop *loop;
    ViommuWorker *accounts; /* for look-ups in the user database, which may hang */
    const ViommuBusPeers *peers;
    const char *group; /* members may launch; NULL: a user's own bus */
} ViommuAuthContext;

/* A request, the host and the site; all borrowed. */
typedef struct ViommuAuthLaunch {
    const ViommuRequest *request;
    const ViommuHost *host; /* as last seen */
    const ViommuSite *site;
} ViommuAuthLaunch;

/** Owned. */
ViommuAuth *viommu_auth_new(const ViommuAuthContext *context);
/** Call it before the bus is freed: drops unanswered questions. */
void viommu_auth_free(ViommuAuth *auth);

/** Judges @call; to be called for each method call before anything else.  @machine: at its path;
 *  NULL when there is none.  Sets @error for NO.  Fails: POLICY_REFUSED; NOT_FOUND when there is no
 *  machine to manage; BUSY when polkit or the user database has too many pending questions of this
 *  caller, or does not answer. */
ViommuAuthAnswer viommu_auth_check(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine,
                                   GError **error);
/** Whether @call only reads, so that its reply is its only effect. */
bool viommu_auth_is_question(sd_bus_message *call);
/** Whether @call was judged before, waited for an answer, and is judged again. */
bool viommu_auth_comes_again(const ViommuAuth *auth, const sd_bus_message *call);
/** The user who sent @call.  Fails: POLICY_REFUSED. */
bool viommu_auth_uid(ViommuAuth *auth, sd_bus_message *call, uint32_t *ret_uid, GError **error);
/** The user who sent @call, as the site's policy sees that user.  Call it right after
 *  viommu_auth_check().  Fails: POLICY_REFUSED. */
bool viommu_auth_asker(ViommuAuth *auth, sd_bus_message *call, ViommuAsker *ret_asker, GError **error);
/** Asks polkit about the devices of @launch, for @call, that the site does not list, if @asker
 *  needs permission for them.  YES: no question is left, and *@asker has what was granted, owned,
 *  viommu_auth_asker_clear(); LATER: @call comes again, then call this again; NO: too many
 *  questions are pending, about that user or in all, or too many files are open.  Fails: BUSY. */
ViommuAuthAnswer viommu_auth_ask_devices(ViommuAuth *auth, sd_bus_message *call,
                                         const ViommuAuthLaunch *launch, ViommuAsker *asker, GError **error);
/** @call was refused: forgets its answers. */
void viommu_auth_forget_devices(ViommuAuth *auth, sd_bus_message *call);
void viommu_auth_asker_clear(ViommuAsker *asker);
/** Returns @call to the queue, to be judged again.  Negative: an error of sd-bus.  For
 *  device-permission. */
int viommu_auth_take_up(sd_bus_message *call);
/** Whether @uid may do everything: root, and the daemon's user. */
bool viommu_auth_is_trusted(const ViommuAuth *auth, uint32_t uid);
/** Whether the sender of @call sees all of @machine, not only its open properties. */
bool viommu_auth_sees(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine);
