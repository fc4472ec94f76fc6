/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manager: what a launch, a stop or news change in the registry.  Sees no bus message. */
#include "daemon/manager/internal.h"

#include <time.h>
#include "daemon/jobs/launch.h"
#include "daemon/jobs/stop.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"

/* After so many machines of one nameless request a number is looked for no longer: names are not to
 * run out, nor to take long. */
#define NAME_SUFFIX_MAX 100
/* Who sends a request again has mostly lost the answer to the one before. */
#define LAUNCH_WAITERS_MAX 64u
/* libvirt may hang when the daemon ends.  What is under way stands in the machines' records, and
 * the next start settles it. */
#define END_TIMEOUT_SEC 4

static void on_launch(ViommuLaunch *launch, ViommuEvent event, void *userdata);

ViommuManager *viommu_manager_new(const ViommuManagerContext *context)
{
    ViommuManager *manager = g_new0(ViommuManager, 1);

    manager->context = *context;
    manager->hostinfo =
        viommu_hostinfo_new(context->backend, context->workers.host, &context->config->policy);
    manager->registry = viommu_registry_new();
    manager->ledger = viommu_ledger_new();
    manager->remains =
        viommu_remains_new(manager->registry, manager->ledger, context->workers.host, context->files->copies);
    manager->settle = viommu_settle_new(manager->registry, context->backend, &context->workers,
                                        context->files->copies, manager->remains);
    /* The system's libvirt alone has a directory of the running that is root's. */
    if (context->config->policy.nvram_directory)
        viommu_settle_look_for_orphans(manager->settle, context->config->policy.name_prefix);
    manager->adoption = viommu_adoption_new(context->loop);
    viommu_manager_verify_init(manager);
    manager->admission =
        viommu_admission_new(context->loop, context->config, manager->registry, manager->ledger);
    manager->leases =
        viommu_leases_new(context->loop, manager->registry, viommu_manager_lease_ended, manager);
    if (context->has_consoles)
        viommu_manager_use_consoles(manager);
    return manager;
}

void viommu_manager_free(ViommuManager *manager)
{
    if (!manager)
        return;
    viommu_adoption_free(manager->adoption);
    sd_event_source_disable_unref(manager->timeout);
    sd_event_source_disable_unref(manager->look);
    g_hash_table_unref(manager->verifications);
    viommu_agents_unref(manager->agents);
    viommu_leases_free(manager->leases);
    viommu_admission_free(manager->admission);
    viommu_settle_free(manager->settle);
    viommu_remains_free(manager->remains);
    viommu_registry_free(manager->registry);
    viommu_ledger_free(manager->ledger);
    viommu_hostinfo_free(manager->hostinfo);
    g_free(manager);
}

ViommuRegistry *viommu_manager_registry(ViommuManager *manager)
{
    return manager->registry;
}

ViommuHostinfo *viommu_manager_hostinfo(ViommuManager *manager)
{
    return manager->hostinfo;
}

const ViommuConfig *viommu_manager_config(const ViommuManager *manager)
{
    return manager->context.config;
}

const char *viommu_manager_uri(const ViommuManager *manager)
{
    return viommu_backend_uri(manager->context.backend);
}

bool viommu_manager_is_connected(const ViommuManager *manager)
{
    return manager->connected;
}

void viommu_manager_watch_connection(ViommuManager *manager, ViommuLoopFunc func, void *userdata)
{
    manager->connection_func = func;
    manager->connection_data = userdata;
}

/* --- Launch --- */

bool viommu_manager_check_not_ending(const ViommuManager *manager, GError **error)
{
    if (manager->ended)
        g_set_error_literal(error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                            "viommud is shutting down; try again when it is back");
    return !manager->ended;
}

static bool is_free(ViommuManager *manager, const char *name)
{
    return !viommu_registry_by_name(manager->registry, name) && !viommu_settle_orphan(manager->settle, name);
}

/* The name asked for, or a made-up one that is free. */
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
    /* Users share the made-up names; nobody can take all that may come next. */
    while (!request->name && !is_free(manager, name)) {
        g_free(name);
        name = g_strdup_printf("%s-%08x", first, g_random_int());
    }
    if (is_free(manager, name))
        return g_steal_pointer(&name);
    pid = viommu_settle_orphan(manager->settle, name);
    if (pid) {
        g_set_error(
            error, VIOMMU_ERROR, VIOMMU_ERROR_EXISTS,
            "libvirt has forgotten an earlier machine '%s', whose guest runs on as process %" G_GUINT64_FORMAT
            "; choose another name, or have root end that process",
            name, pid);
        return NULL;
    }
    g_set_error(error, VIOMMU_ERROR, VIOMMU_ERROR_EXISTS,
                "machine '%s' exists; choose another name or stop it", name);
    return NULL;
}

/* Before there is a machine. */
static void refuse_launch(const ViommuRequest *request, uint32_t uid, const ViommuWaiter *waiter,
                          const GError *error)
{
    const ViommuJournalSubject subject = {.name = request->name, .owner_uid = &uid};

    viommu_journal_not_launched(&subject, error, NULL);
    viommu_waiter_fail(waiter, error);
}

static void await_launch(ViommuManager *manager, ViommuMachine *machine, bool verified,
                         const ViommuWaiter *waiter)
{
    ViommuJob *job = machine->job;
    ViommuOutcome outcome = {.machine = machine};
    g_autoptr(GError) error = NULL;

    if (!job || job->kind != VIOMMU_JOB_LAUNCH || job->answered) {
        /* Its proof may be missing, as viommud was started anew meanwhile. */
        if (verified && !machine->verified)
            viommu_manager_verify_again(manager, machine, waiter);
        else
            viommu_waiter_answer(waiter, &outcome);
        return;
    }
    if (viommu_waiters_count(job->waiters) < LAUNCH_WAITERS_MAX) {
        viommu_waiters_add(job->waiters, waiter);
        return;
    }
    g_set_error(&error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                "%u calls already wait for the launch of machine '%s'; read its State to follow the launch",
                LAUNCH_WAITERS_MAX, machine->name);
    viommu_waiter_fail(waiter, error);
}

/* A request that was sent before waits for, or gets, the machine that it made.  False: it is a new
 * one. */
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
        g_set_error(&error, VIOMMU_ERROR, VIOMMU_ERROR_EXISTS,
                    "request-id '%s' belongs to a different request, of machine '%s'; use a new one",
                    request->request_id, machine->name);
        refuse_launch(request, uid, waiter, error);
        return true;
    }
    await_launch(manager, machine, request->wait == VIOMMU_WAIT_VERIFIED, waiter);
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
    viommu_manager_name_console(manager, machine);
    viommu_registry_add(manager->registry, machine);
    return machine;
}

/* Begins as many of the waiting launches as may run now.  One that fails at once makes room for the
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

/* Whose it is, and for how long. */
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
    /* It may have failed already. */
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

static void on_started(ViommuManager *manager, ViommuMachine *machine, const ViommuLaunch *launch)
{
    g_autoptr(ViommuJob) job = NULL;
    ViommuOutcome outcome = {.machine = machine};

    if (viommu_launch_late_warning(launch))
        viommu_registry_warn(manager->registry, machine, viommu_launch_late_warning(launch));
    viommu_journal_launched(machine);
    viommu_admission_leave(manager->admission, machine);
    job = viommu_machine_end_job(machine);
    /* It may have ended already: a guest can be faster than the answer to the call that started
     * it. */
    if (machine->state == VIOMMU_STATE_STARTING)
        viommu_registry_feed(manager->registry, machine, VIOMMU_EVENT_STARTED);
    if (viommu_launch_request(launch)->wait == VIOMMU_WAIT_VERIFIED)
        viommu_manager_verify_launch(manager, machine, job->waiters);
    else
        viommu_job_answer(job, &outcome);
}

/* A stop that was to come after the launch finds nothing left. */
static void on_launch_failed(ViommuManager *manager, ViommuMachine *machine, const ViommuLaunch *launch)
{
    g_autoptr(ViommuJob) job = NULL, stop = NULL;
    const ViommuJournalSubject subject = {machine->name, machine->uuid, &machine->owner_uid};
    g_autoptr(GError) error = viommu_manager_with_tail(machine, viommu_launch_error(launch));
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
    /* Whoever got the machine before it failed must be able to read why; all others are told
     * now. */
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

/* --- Other calls --- */

void viommu_manager_plan(ViommuManager *manager, const ViommuEnquiry *enquiry, const ViommuWaiter *waiter)
{
    const ViommuEnquiryRoom room = {manager->context.backend, manager->context.workers.calls,
                                    manager->hostinfo, &manager->context.config->policy};

    viommu_enquiry_plan(&room, enquiry, waiter);
}

void viommu_manager_reset(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (!viommu_machine_check_known(machine, &error)) {
        viommu_waiter_fail(waiter, error);
        return;
    }
    if (machine->state == VIOMMU_STATE_RUNNING) {
        viommu_enquiry_reset(manager->context.backend, manager->context.workers.calls, machine, waiter);
        return;
    }
    g_set_error(&error, VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                "machine '%s' is %s; only a running machine can be reset", machine->name,
                viommu_enum_to_string(&viommu_enum_state, (int)machine->state));
    viommu_waiter_fail(waiter, error);
}

void viommu_manager_get_xml(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    viommu_enquiry_xml(manager->context.backend, manager->context.workers.calls, machine, waiter);
}

/* --- Beginning, news and end --- */

void viommu_manager_settled(const ViommuOutcome *unused, void *userdata)
{
    viommu_leases_watch_all(((ViommuManager *)userdata)->leases);
    viommu_manager_look_after_consoles(userdata);
}

static void on_settled(const ViommuOutcome *outcome, void *userdata)
{
    viommu_manager_settled(outcome, userdata);
    viommu_manager_sweep_console_logs(userdata);
    viommu_adoption_part_done(((ViommuManager *)userdata)->adoption);
}

static void on_host_learnt(const ViommuOutcome *outcome, void *userdata)
{
    if (outcome->error)
        viommu_log_error(LOG_WARNING, NULL, outcome->error, "reading the properties of this host");
    viommu_adoption_part_done(((ViommuManager *)userdata)->adoption);
}

void viommu_manager_adopt_all(ViommuManager *manager, ViommuLoopFunc func, void *userdata)
{
    viommu_adoption_begin(manager->adoption, func, userdata);
}

static void set_connected(ViommuManager *manager, const ViommuNews *news)
{
    bool connected = news->kind == VIOMMU_NEWS_CONNECTED;
    bool changed = manager->connected != connected;

    manager->connected = connected;
    if (connected) {
        viommu_log(LOG_INFO, NULL, "Connected to libvirt at %s", viommu_manager_uri(manager));
        viommu_adoption_connected(manager->adoption, 2);
        viommu_settle_run(manager->settle, on_settled, manager);
        viommu_hostinfo_refresh(manager->hostinfo, on_host_learnt, manager);
    } else {
        viommu_log(LOG_WARNING, NULL, "No connection to libvirt at %s: %s", viommu_manager_uri(manager),
                   news->detail ? news->detail : "it is gone");
        viommu_adoption_finish(manager->adoption);
    }
    if (changed && manager->connection_func)
        manager->connection_func(manager->connection_data);
}

void viommu_manager_take_news(ViommuManager *manager, const ViommuNews *news)
{
    const ViommuNewsMeaning *meaning = viommu_news_meaning(news->kind);
    ViommuMachine *machine = viommu_registry_by_uuid(manager->registry, news->uuid);
    ViommuStop *stop = machine ? viommu_job_work(machine->job, VIOMMU_JOB_STOP) : NULL;

    if (meaning->connection) {
        set_connected(manager, news);
    } else if (stop) {
        /* All else that a stop brings about is its own doing. */
        if (meaning->by_itself)
            viommu_stop_hurry(stop);
    } else {
        if (machine && meaning->ends)
            viommu_manager_console_ends(manager, machine, news);
        viommu_settle_take_news(manager->settle, news);
    }
}

/* The job of the next machine that has one; NULL after the last. */
static ViommuJob *next_job(ViommuRegistryIterator *machines)
{
    for (ViommuMachine *machine; (machine = viommu_registry_next(machines));)
        if (machine->job)
            return machine->job;
    return NULL;
}

static void finish_end(ViommuManager *manager, bool finished)
{
    ViommuRegistryIterator machines = viommu_registry_iterate(manager->registry);
    g_autoptr(GError) error = g_error_new_literal(VIOMMU_ERROR, VIOMMU_ERROR_BUSY,
                                                  "viommud is shutting down; try again when it is back");

    manager->over = true;
    manager->timeout = sd_event_source_disable_unref(manager->timeout);
    for (ViommuJob *job; (job = next_job(&machines));)
        viommu_job_fail(job, error);
    viommu_manager_fail_verifications(manager, error);
    manager->ended(finished, manager->ended_data);
}

static int on_end_too_slow(sd_event_source *source, uint64_t usec, void *userdata)
{
    finish_end(userdata, false);
    return 0;
}

void viommu_manager_check_end(ViommuManager *manager)
{
    ViommuRegistryIterator machines = viommu_registry_iterate(manager->registry);

    if (manager->ended && !manager->over && !next_job(&machines))
        finish_end(manager, true);
}

static void abandon_waiting(ViommuManager *manager)
{
    g_autoptr(GPtrArray) machines = viommu_registry_list(manager->registry, false);
    g_autoptr(GError) error = NULL;

    viommu_manager_check_not_ending(manager, &error);
    /* None takes another one along, as nothing else begins or ends any more. */
    for (guint i = 0; i < machines->len; i++) {
        const ViommuMachine *machine = g_ptr_array_index(machines, i);

        if (machine->job && machine->job->queue)
            viommu_launch_abandon(viommu_job_work(machine->job, VIOMMU_JOB_LAUNCH), error);
    }
}

static void hurry_stops(ViommuManager *manager)
{
    ViommuRegistryIterator machines = viommu_registry_iterate(manager->registry);

    for (ViommuJob *job; (job = next_job(&machines));)
        if (viommu_job_work(job, VIOMMU_JOB_STOP))
            viommu_stop_hurry(job->work);
}

void viommu_manager_end(ViommuManager *manager, void (*func)(bool finished, void *userdata), void *userdata)
{
    manager->ended = func;
    manager->ended_data = userdata;
    viommu_adoption_cancel(manager->adoption);
    hurry_stops(manager);
    if (sd_event_add_time_relative(viommu_loop_event(manager->context.loop), &manager->timeout,
                                   CLOCK_MONOTONIC, END_TIMEOUT_SEC * G_USEC_PER_SEC, 0, on_end_too_slow,
                                   manager) < 0) {
        finish_end(manager, false);
        return;
    }
    abandon_waiting(manager);
    viommu_manager_check_end(manager);
}
