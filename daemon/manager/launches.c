/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* launches: decides which launch begins and under which name, and applies its events.  Sees no bus
 * message. */
#include "daemon/manager/internal.h"

#include "daemon/jobs/launch.h"
#include "daemon/machines/journal-events.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"

/* The highest number to try for the name of a request without one; beyond it the name is random, so
 * that the search is short and cannot fail. */
#define NAME_SUFFIX_MAX 100
/* A client that sends a request again has usually lost the first answer. */
#define LAUNCH_WAITERS_MAX 64u

static void on_launch(ViommuLaunch *launch, ViommuEvent event, void *userdata);

static bool is_free(ViommuManager *manager, const char *name)
{
    return !viommu_registry_by_name(manager->registry, name) && !viommu_settle_orphan(manager->settle, name);
}

/* The requested name, or a generated one that is free. */
static char *choose_name(ViommuManager *manager, const ViommuRequest *request, GError **error)
{
    g_autofree char *first = request->name ? g_strdup(request->name) : viommu_plan_default_name(request);
    g_autofree char *name = g_strdup(first);
    uint64_t pid;

    for (unsigned i = 2; !request->name && i <= NAME_SUFFIX_MAX; i++) {
        if (is_free(manager, name))
            break;
        g_free(name);
        name = g_strdup_printf("%s-%u", first, i);
    }
    /* All users share the generated names; a random name cannot be taken in advance. */
    while (!request->name && !is_free(manager, name)) {
        g_free(name);
        name = g_strdup_printf("%s-%08x", first, g_random_int());
    }
    if (is_free(manager, name))
        return g_steal_pointer(&name);
    pid = viommu_settle_orphan(manager->settle, name);
    if (pid) {
        viommu_fail(
            error, VIOMMU_ERROR_EXISTS,
            "libvirt has forgotten an earlier machine '%s', whose guest runs on as process %" G_GUINT64_FORMAT
            "; choose another name, or have root end that process",
            name, pid);
        return NULL;
    }
    viommu_fail(error, VIOMMU_ERROR_EXISTS, "machine '%s' exists; choose another name or stop it", name);
    return NULL;
}

/* Refuses a launch for which no machine exists yet. */
static void refuse_launch(const ViommuRequest *request, uint32_t uid, const ViommuWaiter *waiter,
                          const GError *error)
{
    const ViommuJournalSubject subject = {.name = request->name, .owner_uid = &uid};

    viommu_journal_not_launched(&subject, error, NULL);
    viommu_waiter_fail(waiter, error);
}

/* What the guest has to show before a launch with @wait is answered.  False: nothing. */
static bool find_goal(int wait, ViommuVerifyGoal *ret_goal)
{
    *ret_goal = wait == VIOMMU_WAIT_READY ? VIOMMU_VERIFY_READY : VIOMMU_VERIFY_IOMMU;
    return wait == VIOMMU_WAIT_READY || wait == VIOMMU_WAIT_VERIFIED;
}

static bool has_reached(const ViommuMachine *machine, ViommuVerifyGoal goal)
{
    return goal == VIOMMU_VERIFY_READY ? machine->ready : machine->verified;
}

static void await_launch(ViommuManager *manager, ViommuMachine *machine, int wait, const ViommuWaiter *waiter)
{
    ViommuVerifyGoal goal;
    ViommuJob *job = machine->job;
    ViommuOutcome outcome = {.machine = machine};
    g_autoptr(GError) error = NULL;

    if (!job || job->kind != VIOMMU_JOB_LAUNCH || job->answered) {
        /* The proof may be missing, if viommud was restarted meanwhile. */
        if (find_goal(wait, &goal) && !has_reached(machine, goal))
            viommu_verifier_prove_again(manager->verifier, goal, machine, waiter);
        else
            viommu_waiter_answer(waiter, &outcome);
        return;
    }
    if (viommu_waiters_count(job->waiters) < LAUNCH_WAITERS_MAX) {
        viommu_waiters_add(job->waiters, waiter);
        return;
    }
    viommu_fail(&error, VIOMMU_ERROR_BUSY,
                "%u calls already wait for the launch of machine '%s'; read its State to follow the launch",
                LAUNCH_WAITERS_MAX, machine->name);
    viommu_waiter_fail(waiter, error);
}

/* If the request was sent before, @waiter waits for, or gets, the machine of the first request.
 * False: the request is new. */
static bool launch_again(ViommuManager *manager, const ViommuRequest *request, uint32_t uid,
                         const ViommuWaiter *waiter)
{
    ViommuMachine *machine =
        request->request_id ? viommu_registry_by_request(manager->registry, uid, request->request_id) : NULL;
    g_autofree char *fingerprint = NULL;
    g_autoptr(GError) error = NULL;

    if (!machine)
        return false;
    fingerprint = viommu_request_fingerprint(request);
    if (g_strcmp0(fingerprint, machine->fingerprint) != 0) {
        viommu_fail(&error, VIOMMU_ERROR_EXISTS,
                    "request-id '%s' belongs to a different request, of machine '%s'; use a new one",
                    request->request_id, machine->name);
        refuse_launch(request, uid, waiter, error);
        return true;
    }
    await_launch(manager, machine, request->wait, waiter);
    return true;
}

static ViommuMachine *new_machine(ViommuManager *manager, const ViommuRequest *request, uint32_t uid,
                                  const char *client, GError **error)
{
    g_autofree char *uuid = g_uuid_string_random(), *fingerprint = viommu_request_fingerprint(request);
    g_autofree char *name = choose_name(manager, request, error);
    ViommuMachine *machine = name ? viommu_machine_new(name, uuid, uid) : NULL;
    const ViommuMachineOrigin origin = {
        .request_id = request->request_id,
        .fingerprint = fingerprint,
        .client = request->lease.bind == VIOMMU_BIND_CLIENT ? client : NULL,
        .launcher = client,
        .created_usec = (uint64_t)g_get_real_time(),
    };

    if (!machine)
        return NULL;
    viommu_machine_set_origin(machine, &origin);
    viommu_console_keeper_name_log(manager->consoles, machine);
    viommu_registry_add(manager->registry, machine);
    return machine;
}

/* Begins as many waiting launches as may run now.  A launch that fails at once makes room for the
 * next one. */
static void admit(ViommuManager *manager)
{
    if (manager->admitting || manager->ended)
        return;
    manager->admitting = true;
    for (ViommuMachine *machine; (machine = viommu_admission_next(manager->admission));)
        viommu_launch_begin(viommu_job_work(machine->job, VIOMMU_JOB_LAUNCH));
    manager->admitting = false;
}

static void on_came_back(const char *uuid, uint32_t owner_uid, bool clean, void *userdata)
{
    ViommuManager *manager = userdata;

    viommu_admission_unhang(manager->admission, owner_uid);
    if (clean) {
        viommu_settle_forgive(manager->settle, uuid);
        viommu_ledger_drop(manager->ledger, uuid);
    } else {
        viommu_settle_owe(manager->settle, uuid);
    }
    admit(manager);
}

/* The owner of a new machine, and its lease. */
typedef struct Tenancy {
    const ViommuAsker *asker;
    ViommuLease lease;
} Tenancy;

static void begin_launch(ViommuManager *manager, ViommuRequest *request, const Tenancy *tenancy,
                         ViommuMachine *machine, const ViommuWaiter *waiter)
{
    ViommuLaunchContext context = {
        .loop = manager->context.loop,
        .backend = manager->context.backend,
        .launches = manager->context.workers.launches,
        .ends = manager->context.workers.ends,
        .hostinfo = manager->hostinfo,
        .policy = &manager->context.config->policy,
        .admission = manager->admission,
        .files = manager->context.files,
        .readers = manager->context.readers,
        .timeout_sec = (uint32_t)manager->context.config->launch_timeout_sec,
        .came_back = on_came_back,
    };
    ViommuLaunchIdentity identity = {machine->name,         machine->uuid,   *tenancy->asker,
                                     machine->created_usec, machine->client, &tenancy->lease};
    ViommuJob *job = viommu_job_new(VIOMMU_JOB_LAUNCH);
    g_autofree char *uuid = g_strdup(machine->uuid);

    viommu_machine_add_job(machine, job);
    viommu_admission_enter(manager->admission, request, machine);
    viommu_waiters_add(job->waiters, waiter);
    viommu_job_set_work(job, viommu_launch_new(&context, request, &identity, on_launch, manager),
                        (GDestroyNotify)viommu_launch_free);
    admit(manager);
    /* The launch may have failed already. */
    machine = viommu_registry_by_uuid(manager->registry, uuid);
    if (machine && viommu_machine_queue_position(machine) > 0)
        viommu_registry_announce(manager->registry, machine);
    if (machine)
        viommu_registry_bind(manager->registry, machine);
}

void viommu_manager_launch(ViommuManager *manager, ViommuRequest *taken, const ViommuAsker *asker,
                           const char *client, const ViommuWaiter *waiter)
{
    g_autoptr(ViommuRequest) request = taken;
    g_autoptr(GError) error = NULL;
    ViommuMachine *machine = NULL;
    Tenancy tenancy = {.asker = asker};
    uint32_t uid = asker->uid;

    if (launch_again(manager, request, uid, waiter))
        return;
    if (viommu_manager_check_not_ending(manager, &error) &&
        viommu_lease_settle(manager->context.config, request, asker, &tenancy.lease, &error) &&
        viommu_admission_check(manager->admission, request, uid, &error))
        machine = new_machine(manager, request, uid, client, &error);
    if (machine)
        begin_launch(manager, g_steal_pointer(&request), &tenancy, machine, waiter);
    else
        refuse_launch(request, uid, waiter, error);
    viommu_lease_clear(&tenancy.lease);
}

static void on_planned(ViommuManager *manager, ViommuMachine *machine, const ViommuLaunch *launch)
{
    ViommuOutcome outcome = {.machine = machine};
    bool first = machine->state == VIOMMU_STATE_PLANNING;

    viommu_registry_replan(manager->registry, machine, viommu_launch_metadata(launch));
    if (!first)
        return;
    viommu_leases_watch(manager->leases, machine);
    viommu_registry_feed(manager->registry, machine, VIOMMU_EVENT_PLANNED);
    if (!machine->announced)
        viommu_registry_announce(manager->registry, machine);
    if (viommu_launch_request(launch)->wait == VIOMMU_WAIT_PLANNED)
        viommu_job_answer(machine->job, &outcome);
}

static void on_started(ViommuManager *manager, ViommuMachine *machine, ViommuLaunch *launch)
{
    g_autoptr(ViommuJob) job = NULL;
    ViommuOutcome outcome = {.machine = machine};
    ViommuVerifyGoal goal;

    if (viommu_launch_late_warning(launch))
        viommu_registry_warn(manager->registry, machine, viommu_launch_late_warning(launch));
    viommu_journal_launched(machine);
    viommu_admission_leave(manager->admission, machine);
    job = viommu_machine_end_job(machine);
    /* The guest may have ended already, before the answer to the call that started it. */
    if (machine->state == VIOMMU_STATE_STARTING) {
        viommu_registry_reach(manager->registry, machine, viommu_launch_reach(launch));
        viommu_registry_feed(manager->registry, machine, VIOMMU_EVENT_STARTED);
    }
    viommu_reach_keeper_watch(manager->reach, machine);
    viommu_evictions_watch(manager->evictions);
    if (find_goal(viommu_launch_request(launch)->wait, &goal))
        viommu_verifier_prove_launch(manager->verifier, goal, machine, job->waiters);
    else
        viommu_job_answer(job, &outcome);
}

/* A stop that follows the launch finds nothing left to remove. */
static void on_launch_failed(ViommuManager *manager, ViommuMachine *machine, const ViommuLaunch *launch)
{
    g_autoptr(ViommuJob) job = NULL, stop = NULL;
    const ViommuJournalSubject subject = {machine->name, machine->uuid, &machine->owner_uid};
    g_autoptr(GError) error = viommu_console_keeper_with_tail(machine, viommu_launch_error(launch));
    ViommuOutcome failed = {.error = error, .reasons = viommu_launch_reasons(launch)};
    ViommuOutcome stopped = {.error = NULL};
    ViommuEvent event = VIOMMU_EVENT_LAUNCH_FAILED;
    bool gone;

    viommu_journal_not_launched(&subject, failed.error, failed.reasons);
    if (viommu_launch_left_something(launch))
        viommu_settle_owe(manager->settle, machine->uuid);
    else
        viommu_ledger_drop(manager->ledger, machine->uuid);
    viommu_admission_leave(manager->admission, machine);
    job = viommu_machine_end_job(machine);
    stop = viommu_machine_end_job(machine);
    viommu_registry_fail(manager->registry, machine, failed.error);
    if (stop)
        event = stop->ending.expired ? VIOMMU_EVENT_REAPED : VIOMMU_EVENT_REMOVED;
    gone = viommu_registry_feed(manager->registry, machine, event);
    /* A caller that already has the machine must be able to read why it failed; the other callers
     * are told now. */
    if (!gone && !job->answered)
        viommu_registry_feed(manager->registry, machine, VIOMMU_EVENT_REMOVED);
    viommu_job_answer(job, &failed);
    if (stop)
        viommu_job_answer(stop, &stopped);
}

static void on_launch(ViommuLaunch *launch, ViommuEvent event, void *userdata)
{
    ViommuManager *manager = userdata;
    ViommuMachine *machine = viommu_registry_by_uuid(manager->registry, viommu_launch_uuid(launch));

    if (event == VIOMMU_EVENT_PLANNED)
        on_planned(manager, machine, launch);
    else if (event == VIOMMU_EVENT_STARTED)
        on_started(manager, machine, launch);
    else if (event == VIOMMU_EVENT_LAUNCH_FAILED)
        on_launch_failed(manager, machine, launch);
    else
        viommu_registry_feed(manager->registry, machine, event);
    admit(manager);
    viommu_manager_check_end(manager);
}
