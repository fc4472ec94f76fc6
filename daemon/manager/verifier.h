/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verifier: which machines are being verified, who waits for it, and what becomes of a launch that
 * was to be verified.  A verification stands beside the machine's job.  Sees no bus message.  Loop
 * thread. */
#pragma once

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
    /* ends a machine whose launch was not proven; the waiter hears of it */
    void (*stop)(ViommuMachine *machine, const ViommuWaiter *waiter, void *userdata);
    void *userdata;
} ViommuVerifierContext;

/** Owned. */
ViommuVerifier *viommu_verifier_new(const ViommuVerifierContext *context);
/** After the workers. */
void viommu_verifier_free(ViommuVerifier *verifier);

/** As viommu_manager_verify(). */
void viommu_verifier_verify(ViommuVerifier *verifier, const ViommuMachine *machine, uint64_t seconds,
                            const ViommuWaiter *waiter);
/** The launch of @machine, which runs, is to end with its proof: @waiters hear of it, and without
 *  it the machine goes.  Nobody waits in @waiters any more. */
void viommu_verifier_prove_launch(ViommuVerifier *verifier, ViommuMachine *machine, ViommuWaiters *waiters);
/** The same for @waiter, whose request was sent before. */
void viommu_verifier_prove_again(ViommuVerifier *verifier, const ViommuMachine *machine,
                                 const ViommuWaiter *waiter);
/** The daemon ends: all who wait for proofs are told. */
void viommu_verifier_fail_all(ViommuVerifier *verifier, const GError *error);
