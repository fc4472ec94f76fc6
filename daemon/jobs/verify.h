/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verify: proves the IOMMU of one guest.  Asks the guest's agent and looks at its console again and
 * again, until the IOMMU is proven or disproved, or the time is over.  Runs on the loop.  Does not
 * know clients, the bus, or why a client wants the proof. */
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

/* What a verification works with; all borrowed. */
typedef struct ViommuVerifyContext {
    ViommuLoop *loop;
    ViommuWorker *askers; /* of its own: guests may let it wait */
    ViommuBackend *backend;
    bool has_consoles;
    ViommuAgents *agents;
} ViommuVerifyContext;

/** The machine as it is now; NULL: it is gone.  Borrowed. */
typedef ViommuMachine *(*ViommuVerifyFind)(const char *uuid, void *userdata);
/** Called once, later: @error NULL: proven, and @report says by what (a{sv}).  Then @verify is
 *  freed by the receiver. Errors: NOT_VERIFIED with the likely cause; BUSY when the machine ended
 *  meanwhile; NOT_SUPPORTED when nothing can look inside. */
typedef void (*ViommuVerifyFunc)(ViommuVerify *verify, GVariant *report, const GError *error, void *userdata);

/** The agent of @machine is asked no more: the connection to libvirt broke, as @error has it, when
 *  it was. */
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
/** Also before it is done; a question to an agent that is under way ends by itself. */
void viommu_verify_free(ViommuVerify *verify);
