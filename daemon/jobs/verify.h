/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify: waits until one guest is ready, or has proven its IOMMU.  Repeatedly asks the guest's
 * agent, and for a proof also reads its console, until it is so or cannot be, or the time is over.
 * Runs on the loop.  Does not know clients, the bus, or why a client wants to know. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/machines/agent-trust.h"
#include "daemon/libvirt/backend.h"
#include "daemon/process/loop.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"
#include "lib/base/error.h"
#include "lib/guest/proof.h"

typedef struct ViommuVerify ViommuVerify;

typedef enum ViommuVerifyGoal {
    VIOMMU_VERIFY_READY, /* its agent answers, or its systemd has told so */
    VIOMMU_VERIFY_IOMMU, /* its IOMMU works */
    VIOMMU_VERIFY_LAST,
} ViommuVerifyGoal;

typedef struct ViommuVerifyWords {
    ViommuError error; /* when a guest does not get there */
    const char *verb;  /* of what viommud does */
    const char *done;  /* what a machine can, or cannot */
} ViommuVerifyWords;

/* What a verification uses; all borrowed. */
typedef struct ViommuVerifyContext {
    ViommuLoop *loop;
    ViommuWorker *askers; /* a worker of its own, because guests can delay it */
    ViommuBackend *backend;
    bool has_consoles;
    bool hears_ready; /* guests with a vsock device may tell that they are ready */
    ViommuAgents *agents;
} ViommuVerifyContext;

/** The machine in its present state; NULL: it is gone.  Borrowed. */
typedef ViommuMachine *(*ViommuVerifyFind)(const char *uuid, void *userdata);
/** Called once, later; @error NULL: it is so, and @report has the evidence of a proof (a{sv}).  The
 *  receiver then frees @verify.  Errors: that of viommu_verify_words() with the likely cause; BUSY
 *  when the machine ended meanwhile; BACKEND when a fault of the host paused its guest;
 *  NOT_SUPPORTED when the agent cannot be used, for a proof neither agent nor console. */
typedef void (*ViommuVerifyFunc)(ViommuVerify *verify, GVariant *report, const GError *error, void *userdata);

/** The agent of @machine is no longer asked: the connection to libvirt broke, with @error, while it
 *  was asked. */
typedef void (*ViommuVerifyBroke)(ViommuMachine *machine, const GError *error, void *userdata);

typedef struct ViommuVerifyCalls {
    ViommuVerifyFind find;
    ViommuVerifyBroke broke;
    ViommuVerifyFunc done;
    void *userdata;
} ViommuVerifyCalls;

/* Of which machine what is wanted, and how long it may take. */
typedef struct ViommuVerifyAim {
    ViommuVerifyGoal goal;
    const char *uuid;
    uint64_t seconds;
} ViommuVerifyAim;

/** Owned.  Fails: INTERNAL. */
ViommuVerify *viommu_verify_new(const ViommuVerifyContext *context, const ViommuVerifyAim *aim,
                                const ViommuVerifyCalls *calls, GError **error);
/** The words of @goal.  Static. */
const ViommuVerifyWords *viommu_verify_words(ViommuVerifyGoal goal);
const char *viommu_verify_uuid(const ViommuVerify *verify);
/** Looks now, not at the end of the second. */
void viommu_verify_hurry(ViommuVerify *verify);
/** May be called early; a question to an agent that is under way ends by itself. */
void viommu_verify_free(ViommuVerify *verify);
