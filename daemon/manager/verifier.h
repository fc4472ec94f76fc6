/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verifier: keeps the verifications under way and their callers, and undoes a launch whose
 * verification fails.  A verification waits until a guest is ready, or has proven its IOMMU, and
 * stands beside the machine's job.  Sees no bus message.  Loop thread. */
#pragma once

#include "daemon/jobs/verify.h"
#include "daemon/libvirt/backend.h"
#include "daemon/machines/registry.h"
#include "daemon/machines/waiters.h"
#include "daemon/process/config.h"
#include "daemon/process/loop.h"
#include "daemon/process/worker.h"

typedef struct ViommuVerifier ViommuVerifier;

typedef struct ViommuVerifierContext {
    /* borrowed: */
    ViommuLoop *loop;
    ViommuBackend *backend;
    ViommuWorker *agents;
    const ViommuConfig *config;
    ViommuRegistry *registry;
    bool has_consoles;
    /* whether a verification may begin now; fails: BUSY */
    bool (*check)(void *userdata, GError **error);
    /* ends a machine whose launch was not proven, and answers the waiter */
    void (*stop)(ViommuMachine *machine, const ViommuWaiter *waiter, void *userdata);
    void *userdata;
} ViommuVerifierContext;

/** Owned. */
ViommuVerifier *viommu_verifier_new(const ViommuVerifierContext *context);
/** Free the workers first. */
void viommu_verifier_free(ViommuVerifier *verifier);

/** As viommu_manager_verify() and viommu_manager_await_ready(). */
void viommu_verifier_verify(ViommuVerifier *verifier, ViommuVerifyGoal goal, const ViommuMachine *machine,
                            uint64_t seconds, const ViommuWaiter *waiter);
/** Verifies @machine, which runs, as the last step of its launch: answers @waiters with the machine
 *  that got to @goal, or removes the machine.  Moves the waiters out of @waiters. */
void viommu_verifier_prove_launch(ViommuVerifier *verifier, ViommuVerifyGoal goal, ViommuMachine *machine,
                                  ViommuWaiters *waiters);
/** The same for @waiter, which sent the request again. */
void viommu_verifier_prove_again(ViommuVerifier *verifier, ViommuVerifyGoal goal,
                                 const ViommuMachine *machine, const ViommuWaiter *waiter);
/** The systemd of @machine tells that it is ready. */
void viommu_verifier_told_ready(ViommuVerifier *verifier, ViommuMachine *machine);
/** The agents that may be asked, for all who ask.  Borrowed. */
ViommuAgents *viommu_verifier_agents(ViommuVerifier *verifier);
/** As of ViommuVerifyBroke: notes it, and warns. */
void viommu_verifier_broke(ViommuRegistry *registry, ViommuMachine *machine, const GError *error);
/** The daemon ends: fails all callers that wait for a verification. */
void viommu_verifier_fail_all(ViommuVerifier *verifier, const GError *error);
