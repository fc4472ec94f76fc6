/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-keeper: keeps the verdict about KVM: has it proven once for each state of the host, remembers
 * it, and tells who waits.  Knows the backend's proof; does not know plans.  Loop thread. */
#pragma once

#include "daemon/libvirt/kvm-proof.h"
#include "daemon/machines/reply.h"
#include "daemon/process/worker.h"

typedef struct ViommuKvmKeeper ViommuKvmKeeper;

/* All borrowed. */
typedef struct ViommuKvmKeeperContext {
    ViommuLoop *loop;
    ViommuWorker *worker; /* for proofs alone, because a proof may hang */
    ViommuBackend *backend;
    const char *directory;           /* of the verdict, and of the firmware during a proof */
    unsigned limit_sec;              /* how long a proof is waited for */
    void (*changed)(void *userdata); /* the verdict in force is another */
    void *userdata;
} ViommuKvmKeeperContext;

ViommuKvmKeeper *viommu_kvm_keeper_new(const ViommuKvmKeeperContext *context);
/** Free the worker first. */
void viommu_kvm_keeper_free(ViommuKvmKeeper *keeper);
/** viommud ends: a proof under way ends soon, and none begins. */
void viommu_kvm_keeper_end(ViommuKvmKeeper *keeper);

/** The host was looked at: has KVM proven unless that was done with this @stamp, of
 *  viommu_backend_kvm_stamp().  NULL: there is nothing to prove.  @emulator: its path. */
void viommu_kvm_keeper_look(ViommuKvmKeeper *keeper, const char *stamp, const char *emulator);
/** The verdict in force; NULL: none yet, or there is nothing to prove.  What was found broken stays
 *  so until KVM is seen to work.  Borrowed, until the next one. */
const ViommuKvmVerdict *viommu_kvm_keeper_verdict(const ViommuKvmKeeper *keeper);
/** Calls @func when no proof is under way, maybe at once, or when it takes longer than the
 *  limit; the outcome is empty. */
void viommu_kvm_keeper_await(ViommuKvmKeeper *keeper, ViommuOutcomeFunc func, void *userdata);
