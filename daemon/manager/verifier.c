/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* verifier: keeps a table of verifications for each goal, with two lists of waiters for each
 * verification. */
#include "daemon/manager/verifier.h"

#include "daemon/machines/agent-trust.h"
#include "daemon/machines/journal-events.h"
#include "daemon/manager/console-keeper.h"
#include "lib/base/error.h"

#define WAITERS_MAX 32

struct ViommuVerifier {
    ViommuVerifierContext context;
    ViommuAgents *agents;
    GHashTable *verifications[VIOMMU_VERIFY_LAST]; /* UUID -> Verification, owned */
};

/* The verification of one machine. */
typedef struct Verification {
    ViommuVerifier *verifier;
    ViommuVerifyGoal goal;
    ViommuVerify *verify;
    ViommuWaiters *waiters;  /* callers that want the report */
    ViommuWaiters *launches; /* callers whose launch is to be undone without a proof */
} Verification;

static void free_verification(void *data)
{
    Verification *verification = data;

    viommu_verify_free(verification->verify);
    viommu_waiters_free(verification->waiters);
    viommu_waiters_free(verification->launches);
    g_free(verification);
}

ViommuVerifier *viommu_verifier_new(const ViommuVerifierContext *context)
{
    ViommuVerifier *verifier = g_new0(ViommuVerifier, 1);

    verifier->context = *context;
    verifier->agents = viommu_agents_new(context->config->policy.agent != VIOMMU_AGENT_NO);
    for (int goal = 0; goal < VIOMMU_VERIFY_LAST; goal++)
        verifier->verifications[goal] =
            g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_verification);
    return verifier;
}

void viommu_verifier_free(ViommuVerifier *verifier)
{
    if (!verifier)
        return;
    for (int goal = 0; goal < VIOMMU_VERIFY_LAST; goal++)
        g_hash_table_unref(verifier->verifications[goal]);
    viommu_agents_unref(verifier->agents);
    g_free(verifier);
}

static ViommuMachine *find(const char *uuid, void *userdata)
{
    return viommu_registry_by_uuid(((Verification *)userdata)->verifier->context.registry, uuid);
}

/* --- A launch that was not proven --- */

typedef struct Undoing {
    ViommuWaiters *launches;
    GError *error;
} Undoing;

static void on_undone(const ViommuOutcome *outcome, void *userdata)
{
    Undoing *undoing = userdata;
    ViommuOutcome failed = {.error = undoing->error};

    viommu_waiters_answer(undoing->launches, &failed);
    viommu_waiters_free(undoing->launches);
    g_error_free(undoing->error);
    g_free(undoing);
}

/* Removes @machine, which did not get to @goal, and then fails the waiters of @launches, which is
 * empty afterwards. */
static void undo_launch(ViommuVerifier *verifier, ViommuVerifyGoal goal, ViommuMachine *machine,
                        ViommuWaiters *launches, const GError *error)
{
    Undoing *undoing = g_new0(Undoing, 1);
    ViommuWaiter waiter = {on_undone, undoing};

    undoing->launches = viommu_waiters_new();
    viommu_waiters_join(undoing->launches, launches);
    undoing->error = viommu_console_keeper_with_tail(machine, error);
    /* What somebody stops has shown nothing, whether it is gone when it is looked at or not. */
    if (machine->state != VIOMMU_STATE_STOPPING)
        undoing->error->code = (int)viommu_verify_words(goal)->error;
    viommu_registry_fail(verifier->context.registry, machine, undoing->error);
    verifier->context.stop(machine, &waiter, verifier->context.userdata);
}

/* --- The end of a verification --- */

static void note(const Verification *verification, ViommuMachine *machine, const GError *error)
{
    ViommuRegistry *registry = verification->verifier->context.registry;

    if (error)
        viommu_journal_not_verified(machine, viommu_verify_words(verification->goal)->verb, error);
    else if (verification->goal == VIOMMU_VERIFY_IOMMU)
        viommu_registry_prove(registry, machine);
    else
        viommu_registry_ready(registry, machine);
}

static void on_done(ViommuVerify *verify, GVariant *report, const GError *error, void *userdata)
{
    Verification *verification = userdata;
    ViommuVerifier *verifier = verification->verifier;
    g_autofree char *uuid = g_strdup(viommu_verify_uuid(verify));
    ViommuMachine *machine = viommu_registry_by_uuid(verifier->context.registry, uuid);
    ViommuOutcome outcome = {.error = error, .machine = machine, .report = report};
    void *key = NULL;
    bool undo = error && viommu_waiters_count(verification->launches) > 0 && machine;

    if (machine)
        note(verification, machine, error);
    /* Leaves the table first, because a caller that is answered may ask again. */
    g_hash_table_steal_extended(verifier->verifications[verification->goal], uuid, &key, NULL);
    g_free(key);
    viommu_waiters_answer(verification->waiters, &outcome);
    if (undo && (machine = viommu_registry_by_uuid(verifier->context.registry, uuid)))
        undo_launch(verifier, verification->goal, machine, verification->launches, error);
    else
        viommu_waiters_answer(verification->launches, &outcome);
    free_verification(verification);
}

void viommu_verifier_fail_all(ViommuVerifier *verifier, const GError *error)
{
    ViommuOutcome outcome = {.error = error};
    GHashTableIter iterator;
    Verification *verification;

    for (int goal = 0; goal < VIOMMU_VERIFY_LAST; goal++) {
        g_hash_table_iter_init(&iterator, verifier->verifications[goal]);
        while (g_hash_table_iter_next(&iterator, NULL, (void **)&verification)) {
            viommu_waiters_answer(verification->waiters, &outcome);
            viommu_waiters_answer(verification->launches, &outcome);
        }
        g_hash_table_remove_all(verifier->verifications[goal]);
    }
}

void viommu_verifier_told_ready(ViommuVerifier *verifier, ViommuMachine *machine)
{
    Verification *verification =
        g_hash_table_lookup(verifier->verifications[VIOMMU_VERIFY_READY], machine->uuid);

    viommu_registry_tell_ready(verifier->context.registry, machine, true);
    if (verification)
        viommu_verify_hurry(verification->verify);
}

/* --- Its beginning --- */

ViommuAgents *viommu_verifier_agents(ViommuVerifier *verifier)
{
    return verifier->agents;
}

void viommu_verifier_broke(ViommuRegistry *registry, ViommuMachine *machine, const GError *error)
{
    g_autofree char *text =
        g_strdup_printf("its agent is no longer asked: %s", error ? error->message : "no reason is known");

    viommu_journal_agent_broke(machine, error);
    viommu_registry_warn(registry, machine, text);
}

static void on_broke(ViommuMachine *machine, const GError *error, void *userdata)
{
    const Verification *verification = userdata;

    viommu_verifier_broke(verification->verifier->context.registry, machine, error);
}

static uint64_t site_seconds(const ViommuVerifier *verifier, ViommuVerifyGoal goal)
{
    const ViommuConfig *config = verifier->context.config;

    return goal == VIOMMU_VERIFY_READY ? config->ready_timeout_sec : config->verify_timeout_sec;
}

static Verification *begin(ViommuVerifier *verifier, const ViommuVerifyAim *aim, GError **error)
{
    ViommuVerifyContext context = {verifier->context.loop,
                                   verifier->context.agents,
                                   verifier->context.backend,
                                   verifier->context.has_consoles,
                                   verifier->context.config->policy.ready_port != 0,
                                   verifier->agents};
    Verification *verification = g_new0(Verification, 1);
    ViommuVerifyCalls calls = {find, on_broke, on_done, verification};

    verification->verifier = verifier;
    verification->goal = aim->goal;
    verification->waiters = viommu_waiters_new();
    verification->launches = viommu_waiters_new();
    verification->verify = viommu_verify_new(&context, aim, &calls, error);
    if (!verification->verify) {
        free_verification(verification);
        return NULL;
    }
    g_hash_table_insert(verifier->verifications[aim->goal], g_strdup(aim->uuid), verification);
    return verification;
}

static bool check_state(const ViommuMachine *machine, ViommuVerifyGoal goal, GError **error)
{
    if (machine->state == VIOMMU_STATE_RUNNING && machine->pause == VIOMMU_PAUSE_NONE)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_BUSY, "machine '%s' is %s; only a running machine can %s",
                       machine->name, viommu_machine_state_word(machine), viommu_verify_words(goal)->done);
}

/* The verification under way, which keeps its own timeout, or a new one. */
static Verification *join(ViommuVerifier *verifier, ViommuVerifyGoal goal, const ViommuMachine *machine,
                          uint64_t seconds, GError **error)
{
    Verification *verification = g_hash_table_lookup(verifier->verifications[goal], machine->uuid);
    const ViommuVerifyAim aim = {goal, machine->uuid, seconds ? seconds : site_seconds(verifier, goal)};

    if (!verifier->context.check(verifier->context.userdata, error) ||
        !viommu_machine_check_known(machine, error) || !check_state(machine, goal, error))
        return NULL;
    if (verification &&
        viommu_waiters_count(verification->waiters) + viommu_waiters_count(verification->launches) >=
            WAITERS_MAX) {
        viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "%u calls already wait for the verification of machine '%s', the maximum; try again later",
            WAITERS_MAX, machine->name);
        return NULL;
    }
    return verification ? verification : begin(verifier, &aim, error);
}

void viommu_verifier_verify(ViommuVerifier *verifier, ViommuVerifyGoal goal, const ViommuMachine *machine,
                            uint64_t seconds, const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;
    Verification *verification = NULL;

    if (seconds > VIOMMU_VERIFY_SECONDS_MAX)
        viommu_fail(&error, VIOMMU_ERROR_INVALID_REQUEST, "%" G_GUINT64_FORMAT " seconds are more than %u",
                    seconds, VIOMMU_VERIFY_SECONDS_MAX);
    else
        verification = join(verifier, goal, machine, seconds, &error);
    if (verification)
        viommu_waiters_add(verification->waiters, waiter);
    else
        viommu_waiter_fail(waiter, error);
}

void viommu_verifier_prove_launch(ViommuVerifier *verifier, ViommuVerifyGoal goal, ViommuMachine *machine,
                                  ViommuWaiters *waiters)
{
    g_autoptr(GError) error = NULL;
    Verification *verification = join(verifier, goal, machine, 0, &error);

    if (verification)
        viommu_waiters_join(verification->launches, waiters);
    else
        undo_launch(verifier, goal, machine, waiters, error);
}

void viommu_verifier_prove_again(ViommuVerifier *verifier, ViommuVerifyGoal goal,
                                 const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;
    Verification *verification = join(verifier, goal, machine, 0, &error);

    if (verification)
        viommu_waiters_add(verification->launches, waiter);
    else
        viommu_waiter_fail(waiter, error);
}
