/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth: who may call what.  The whole policy, in plain words:
 *
 *   On a user's own bus (--user) the user and root may call everything; nobody else may call
 *   anything.
 *
 *   On the system bus
 *     - root, and the user that the daemon runs as, may call everything; nobody else may change
 *       what the daemon logs;
 *     - everybody may learn about the host and make plans;
 *     - everybody sees the name, the state and the result of each machine that has run, and
 *       nothing of a machine that has not run, not even that it is there;
 *     - the owner of a machine sees all of it;
 *     - the members of one group ([daemon] group, "viommu") may launch machines and manage their
 *       own;
 *     - a member's launch gets the host's devices that the site lists; for others polkit must
 *       allow org.viommu1.assign-device (device-permission.h);
 *     - all others who want to manage a machine need polkit's yes to org.viommu1.manage-all;
 *       without polkit the answer is no.
 *   To manage a machine is to stop, kill or reset it, to extend its lease, to read its XML, and to
 *   use its console.  The owner, also the former one, and root may read a console's log.
 *
 *   A method that is not in the table of auth.c is denied to every caller.
 *
 * The caller is the user whom the bus vouches for, never a process.  The system's user database
 * says who is in the group, as it does to the bus's own policy and to polkit.  It is asked for each
 * call that needs it, so a user who has left the group launches no more, however old the connection
 * is.
 * While polkit or the database is asked, nothing is decided.  With the answer the call goes back
 * into the queue and is judged anew, because the machine may be gone or another's by then.  A
 * database that does not answer means no, for now.
 * A signal goes to everybody when the machine has run, and before that to the connection that
 * launched it.  It carries names, states and results only; it names other changed properties
 * without their values. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <systemd/sd-bus.h>
#include "daemon/process/loop.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"
#include "lib/policy/asker.h"
#include "lib/host/host.h"
#include "lib/request/request.h"

typedef struct ViommuAuth ViommuAuth;

typedef enum ViommuAction {
    VIOMMU_ACTION_READ,   /* learn: names and states, the host */
    VIOMMU_ACTION_PLAN,   /* learn what one would get */
    VIOMMU_ACTION_SHOW,   /* read properties */
    VIOMMU_ACTION_LAUNCH, /* make a machine of one's own */
    VIOMMU_ACTION_MANAGE, /* end, disturb or look into a machine */
    VIOMMU_ACTION_TUNE,   /* change the daemon itself: what it logs */
    VIOMMU_ACTION_LAST,
} ViommuAction;

typedef enum ViommuAuthAnswer {
    VIOMMU_AUTH_NO,
    VIOMMU_AUTH_YES,
    /* polkit or the user database is asked; the call is answered, or comes again */
    VIOMMU_AUTH_LATER,
    VIOMMU_AUTH_LAST,
} ViommuAuthAnswer;

/* What auth works with; all borrowed. */
typedef struct ViommuAuthContext {
    ViommuLoop *loop;
    ViommuWorker *accounts; /* for look-ups in the user database, which may hang */
    sd_bus *asking;         /* a connection to ask the bus on (bus.h) */
    const char *group;      /* whose members may launch; NULL: the bus is a user's own */
} ViommuAuthContext;

/* What is asked for, of which host and at which site; all borrowed. */
typedef struct ViommuAuthLaunch {
    const ViommuRequest *request;
    const ViommuHost *host; /* as it was last seen */
    const ViommuSite *site;
} ViommuAuthLaunch;

/** Owned. */
ViommuAuth *viommu_auth_new(const ViommuAuthContext *context);
/** Before the bus: what has not been answered is dropped. */
void viommu_auth_free(ViommuAuth *auth);

/** Judges @call, for every method call before anything else sees it.  @machine: at its path; NULL
 *  when there is none. @error is set for a NO.  Fails: POLICY_REFUSED; NOT_FOUND when there is no
 *  machine to manage; BUSY when polkit or the user database has too many questions of this caller's
 *  to answer, or does not answer. */
ViommuAuthAnswer viommu_auth_check(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine,
                                   GError **error);
/** Whether @call only asks, so that its answer is all that comes of it. */
bool viommu_auth_is_question(sd_bus_message *call);
/** Whether @call was judged before, and comes again with an answer for which it waited. */
bool viommu_auth_comes_again(const ViommuAuth *auth, const sd_bus_message *call);
/** Who has the name @sender on the bus.  Fails: POLICY_REFUSED. */
bool viommu_auth_uid_of(ViommuAuth *auth, const char *sender, uint32_t *ret_uid, GError **error);
/** Who sent @call.  Fails: POLICY_REFUSED. */
bool viommu_auth_uid(ViommuAuth *auth, sd_bus_message *call, uint32_t *ret_uid, GError **error);
/** Who sent @call, and what the site's policy takes it for, as it was judged.  Right after
 *  viommu_auth_check().  Fails: POLICY_REFUSED. */
bool viommu_auth_asker(ViommuAuth *auth, sd_bus_message *call, ViommuAsker *ret_asker, GError **error);
/** Asks polkit for those devices of @launch, which @call brought, that the site does not list,
 *  where @asker needs that.  YES: nothing is left to ask, and *@asker has what was granted, owned,
 *  viommu_auth_asker_clear(); LATER: @call comes again, and this is to be called again; NO: too
 *  many questions wait, about that user or in all, or too many files.  Fails: BUSY. */
ViommuAuthAnswer viommu_auth_ask_devices(ViommuAuth *auth, sd_bus_message *call,
                                         const ViommuAuthLaunch *launch, ViommuAsker *asker, GError **error);
/** @call was refused; what was asked for it is not needed any more. */
void viommu_auth_forget_devices(ViommuAuth *auth, sd_bus_message *call);
void viommu_auth_asker_clear(ViommuAsker *asker);
/** @call goes back into the queue, to be judged anew.  Below 0 as sd-bus returns it.  For
 *  auth-devices. */
int viommu_auth_take_up(sd_bus_message *call);
/** Whether @uid may do everything: root, and the user that the daemon runs as. */
bool viommu_auth_is_trusted(const ViommuAuth *auth, uint32_t uid);
/** Whether the sender of @call sees all of @machine, not only what is open. */
bool viommu_auth_sees(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine);
