/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify: proves the IOMMU of one guest.  Repeatedly asks the guest's agent and reads its console,
 * until the IOMMU is proven or disproved, or the time is over.  Runs on the loop.  Does not know
 * clients, the bus, or why a client wants the proof. */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include "daemon/machines/agent-trust.h"
#include "daemon/libvirt/backend.h"
#include "daemon/process/loop.h"
#include "daemon/machines/machine.h"
#include "daemon/process/worker.h"
#include "lib/guest/proof.h"

typedef struct ViommuVerify ViommuVerify;

/* What a verification uses; all borrowed. */
typedef struct ViommuVerifyContext {
    ViommuLoop *loop;
    ViommuWorker *askers; /* a worker of its own, because guests can delay it */
    ViommuBackend *backend;
    bool has_consoles;
    ViommuAgents *agents;
} ViommuVerifyContext;

/** The machine in its present state; NULL: it is gone.  Borrowed. */
typedef ViommuMachine *(*ViommuVerifyFind)(const char *uuid, void *userdata);
/** Called once, later; @error NULL: proven, and @report has the evidence (a{sv}).  The receiver
 *  then frees @verify.  Errors: NOT_VERIFIED with the likely cause; BUSY when the machine ended
 *  meanwhile; NOT_SUPPORTED when neither agent nor console can be used. */
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

/** Owned.  Fails: INTERNAL. */
ViommuVerify *viommu_verify_new(const ViommuVerifyContext *context, const char *uuid, uint64_t seconds,
                                const ViommuVerifyCalls *calls, GError **error);
const char *viommu_verify_uuid(const ViommuVerify *verify);
/** May be called early; a question to an agent that is under way ends by itself. */
void viommu_verify_free(ViommuVerify *verify);
