/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "daemon/machines/kvm-keeper.h"

#include <time.h>
#include "daemon/machines/journal-events.h"
#include "daemon/machines/waiters.h"
#include "daemon/process/kvm-file.h"

/* A guest that could not be started is tried again, but not with each look at the host. */
#define RETRY_USEC (5 * 60 * G_USEC_PER_SEC)

struct ViommuKvmKeeper {
    ViommuKvmKeeperContext context;
    char *stamp, *emulator;    /* of the last look; NULL: there is nothing to prove */
    ViommuKvmVerdict *verdict; /* NULL: none */
    char *learnt_with;         /* the stamp of the verdict; NULL: it is to be proven again */
    ViommuWaiters *waiters;
    bool proving, late, ending;
    bool presumed;          /* the verdict is only that the proof takes too long */
    sd_event_source *limit; /* while proving */
    char *tried_with;       /* the stamp of a proof that found nothing out; NULL: none */
    gint64 tried_usec;
    int cancelled; /* atomic */
};

/* One proof, for a worker. */
typedef struct Proof {
    ViommuKvmKeeper *keeper;
    ViommuBackend *backend;
    char *stamp, *emulator, *directory;
    ViommuKvmVerdict *verdict;
} Proof;

ViommuKvmKeeper *viommu_kvm_keeper_new(const ViommuKvmKeeperContext *context)
{
    ViommuKvmKeeper *keeper = g_new0(ViommuKvmKeeper, 1);

    keeper->context = *context;
    keeper->waiters = viommu_waiters_new();
    return keeper;
}

void viommu_kvm_keeper_free(ViommuKvmKeeper *keeper)
{
    if (!keeper)
        return;
    g_assert(!keeper->proving);
    g_free(keeper->stamp);
    g_free(keeper->emulator);
    g_free(keeper->learnt_with);
    g_free(keeper->tried_with);
    viommu_kvm_verdict_free(keeper->verdict);
    viommu_waiters_free(keeper->waiters);
    sd_event_source_disable_unref(keeper->limit);
    g_free(keeper);
}

void viommu_kvm_keeper_end(ViommuKvmKeeper *keeper)
{
    keeper->ending = true;
    g_atomic_int_set(&keeper->cancelled, 1);
}

static void answer(ViommuKvmKeeper *keeper)
{
    viommu_waiters_answer(keeper->waiters, &(ViommuOutcome){0});
}

/* Takes @verdict.  The same again is no news. */
static void put_in_force(ViommuKvmKeeper *keeper, ViommuKvmVerdict *verdict)
{
    const ViommuKvmVerdict *before = keeper->verdict;
    bool news = !before != !verdict ||
                (before && (before->kvm != verdict->kvm || g_strcmp0(before->reason, verdict->reason) != 0));

    viommu_kvm_verdict_free(keeper->verdict);
    keeper->verdict = verdict;
    if (news && verdict)
        viommu_journal_kvm(verdict);
    if (news)
        keeper->context.changed(keeper->context.userdata);
}

static void work_proof(void *data)
{
    Proof *proof = data;
    const ViommuKvmProof how = {proof->emulator, proof->directory, &proof->keeper->cancelled};

    proof->verdict = viommu_kvm_recall(proof->directory, proof->stamp);
    if (proof->verdict)
        return;
    proof->verdict = viommu_backend_prove_kvm(proof->backend, &how);
    if (proof->verdict->kvm != VIOMMU_KVM_UNKNOWN)
        (void)viommu_kvm_remember(proof->directory, proof->verdict, proof->stamp);
}

static bool is_broken(const ViommuKvmKeeper *keeper)
{
    return keeper->verdict && keeper->verdict->kvm == VIOMMU_KVM_BROKEN;
}

static void begin(ViommuKvmKeeper *keeper);

/* What is unknown changes nothing that was found broken. */
static void take(ViommuKvmKeeper *keeper, Proof *proof)
{
    bool unknown = proof->verdict->kvm == VIOMMU_KVM_UNKNOWN;

    g_clear_pointer(&keeper->tried_with, g_free);
    if (unknown) {
        keeper->tried_with = g_steal_pointer(&proof->stamp);
        keeper->tried_usec = g_get_monotonic_time();
    }
    if (keeper->ending || !keeper->stamp || (unknown && is_broken(keeper) && !keeper->presumed))
        return;
    keeper->presumed = false;
    g_free(keeper->learnt_with);
    keeper->learnt_with = unknown ? NULL : g_steal_pointer(&proof->stamp);
    put_in_force(keeper, g_steal_pointer(&proof->verdict));
}

static void done_proof(void *data)
{
    Proof *proof = data;
    ViommuKvmKeeper *keeper = proof->keeper;

    keeper->proving = keeper->late = false;
    keeper->limit = sd_event_source_disable_unref(keeper->limit);
    take(keeper, proof);
    viommu_kvm_verdict_free(proof->verdict);
    g_free(proof->stamp);
    g_free(proof->emulator);
    g_free(proof->directory);
    g_free(proof);
    /* The host may have changed meanwhile. */
    begin(keeper);
    if (!keeper->proving)
        answer(keeper);
}

/* A proof that hangs is a verdict: a launch would hang, too. */
static int on_limit(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuKvmKeeper *keeper = userdata;
    g_autofree char *reason =
        g_strdup_printf("viommud's guest is neither running nor ended after %u s", keeper->context.limit_sec);

    keeper->late = true;
    if (!is_broken(keeper)) {
        keeper->presumed = true;
        g_clear_pointer(&keeper->learnt_with, g_free);
        put_in_force(keeper, viommu_kvm_verdict_new(VIOMMU_KVM_BROKEN, reason));
    }
    answer(keeper);
    return 0;
}

static bool is_needed(const ViommuKvmKeeper *keeper)
{
    if (!keeper->stamp || keeper->proving || keeper->ending ||
        g_strcmp0(keeper->stamp, keeper->learnt_with) == 0)
        return false;
    return g_strcmp0(keeper->stamp, keeper->tried_with) != 0 ||
           g_get_monotonic_time() - keeper->tried_usec > RETRY_USEC;
}

static void begin(ViommuKvmKeeper *keeper)
{
    Proof *proof;

    if (!is_needed(keeper))
        return;
    /* Without memory for a timer nobody waits. */
    keeper->late =
        sd_event_add_time_relative(viommu_loop_event(keeper->context.loop), &keeper->limit, CLOCK_MONOTONIC,
                                   keeper->context.limit_sec * G_USEC_PER_SEC, 0, on_limit, keeper) < 0;
    keeper->proving = true;
    proof = g_new0(Proof, 1);
    proof->keeper = keeper;
    proof->backend = keeper->context.backend;
    proof->stamp = g_strdup(keeper->stamp);
    proof->emulator = g_strdup(keeper->emulator);
    proof->directory = g_strdup(keeper->context.directory);
    viommu_worker_run(keeper->context.worker, VIOMMU_WORKER_NOBODY, work_proof, done_proof, proof);
}

void viommu_kvm_keeper_look(ViommuKvmKeeper *keeper, const char *stamp, const char *emulator)
{
    g_free(keeper->stamp);
    g_free(keeper->emulator);
    keeper->stamp = g_strdup(stamp);
    keeper->emulator = g_strdup(emulator);
    if (!stamp) {
        g_clear_pointer(&keeper->learnt_with, g_free);
        put_in_force(keeper, NULL);
    }
    begin(keeper);
}

const ViommuKvmVerdict *viommu_kvm_keeper_verdict(const ViommuKvmKeeper *keeper)
{
    return keeper->verdict;
}

void viommu_kvm_keeper_await(ViommuKvmKeeper *keeper, ViommuOutcomeFunc func, void *userdata)
{
    const ViommuWaiter waiter = {func, userdata};

    if (keeper->proving && !keeper->late)
        viommu_waiters_add(keeper->waiters, &waiter);
    else
        viommu_waiter_answer(&waiter, &(ViommuOutcome){0});
}
