/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manager: applies launches, stops and news to the registry.  Sees no bus message. */
#include "daemon/manager/internal.h"

#include <time.h>
#include "daemon/jobs/launch.h"
#include "daemon/jobs/stop.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"

/* --- Callbacks of the verifier --- */

bool viommu_manager_check_not_ending(const ViommuManager *manager, GError **error)
{
    if (manager->ended)
        viommu_fail(error, VIOMMU_ERROR_BUSY, "viommud is shutting down; try again when it is back");
    return !manager->ended;
}

static bool check_not_ending(void *manager, GError **error)
{
    return viommu_manager_check_not_ending(manager, error);
}

static void stop_unproven(ViommuMachine *machine, const ViommuWaiter *waiter, void *manager)
{
    viommu_manager_stop(manager, machine, 0, waiter);
}

/* --- Making and reading it --- */

ViommuManager *viommu_manager_new(const ViommuManagerContext *context)
{
    ViommuManager *manager = g_new0(ViommuManager, 1);

    manager->context = *context;
    manager->hostinfo = viommu_hostinfo_new(&(ViommuHostinfoContext){
        context->loop, context->backend, context->workers.host, context->workers.proofs,
        &context->config->policy, context->state, context->proof_sec});
    manager->registry = viommu_registry_new();
    manager->ledger = viommu_ledger_new();
    manager->remains =
        viommu_remains_new(manager->registry, manager->ledger, context->workers.host, context->files->copies);
    manager->settle = viommu_settle_new(manager->registry, context->backend, &context->workers,
                                        context->files->copies, manager->remains);
    manager->pauses = viommu_pauses_new(
        &(ViommuPausesContext){context->loop, context->workers.calls, context->backend, manager->registry});
    viommu_settle_tell_pauses(manager->settle, manager->pauses);
    /* Only the system's libvirt has a directory of running guests that belongs to root. */
    if (context->config->policy.nvram_directory)
        viommu_settle_look_for_orphans(manager->settle, context->config->policy.name_prefix);
    manager->adoption = viommu_adoption_new(context->loop);
    manager->consoles = viommu_console_keeper_new(
        &(ViommuConsoleKeeperContext){context->loop, context->backend, context->workers.host, context->config,
                                      manager->registry, context->has_consoles, context->former_consoles});
    manager->verifier = viommu_verifier_new(&(ViommuVerifierContext){
        context->loop, context->backend, context->workers.agents, context->config, manager->registry,
        context->has_consoles, check_not_ending, stop_unproven, manager});
    manager->readiness = viommu_readiness_new(manager->registry, manager->verifier, context->ready_file);
    manager->execs = viommu_exec_keeper_new(&(ViommuExecKeeperContext){
        {context->loop, context->workers.agents, context->backend, viommu_verifier_agents(manager->verifier)},
        manager->registry});
    manager->reach = viommu_reach_keeper_new(context->loop, manager->registry,
                                             &(ViommuReachRoom){context->backend, context->workers.calls});
    manager->usage = viommu_usage_keeper_new(
        &(ViommuUsageContext){context->workers.calls, context->backend, manager->registry});
    manager->admission =
        viommu_admission_new(context->loop, context->config, manager->registry, manager->ledger);
    manager->devices = viommu_device_keeper_new(&(ViommuDeviceKeeperContext){
        context->loop,
        context->detach_sec,
        {context->backend, context->workers.calls, manager->hostinfo, &context->config->policy,
         manager->admission, context->files, context->readers, manager->registry}});
    manager->leases =
        viommu_leases_new(context->loop, manager->registry, viommu_manager_lease_ended, manager);
    /* A user's own viommud has no other users, and a full disk only pauses guests. */
    manager->evictions = viommu_evictions_new(&(ViommuEvictionsContext){
        context->loop, context->workers, context->backend, manager->registry, manager->ledger,
        context->files->copies, context->files->own ? 0 : context->config->bounds.reserve_bytes,
        viommu_manager_hurry, manager});
    return manager;
}

void viommu_manager_free(ViommuManager *manager)
{
    if (!manager)
        return;
    viommu_adoption_free(manager->adoption);
    sd_event_source_disable_unref(manager->look_again);
    sd_event_source_disable_unref(manager->timeout);
    viommu_usage_keeper_free(manager->usage);
    viommu_reach_keeper_free(manager->reach);
    viommu_exec_keeper_free(manager->execs);
    viommu_readiness_free(manager->readiness);
    viommu_verifier_free(manager->verifier);
    viommu_console_keeper_free(manager->consoles);
    viommu_evictions_free(manager->evictions);
    viommu_leases_free(manager->leases);
    viommu_device_keeper_free(manager->devices);
    viommu_admission_free(manager->admission);
    viommu_settle_free(manager->settle);
    viommu_pauses_free(manager->pauses);
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

GVariant *viommu_manager_used(const ViommuManager *manager)
{
    ViommuAmounts used;

    viommu_admission_used(manager->admission, &used);
    return viommu_config_used(&used);
}

void viommu_manager_read_usage(ViommuManager *manager, const uint32_t *owner, const ViommuWaiter *waiter)
{
    viommu_usage_keeper_read(manager->usage, owner, waiter);
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

/* --- Other calls --- */

void viommu_manager_plan(ViommuManager *manager, const ViommuEnquiry *enquiry, const ViommuWaiter *waiter)
{
    const ViommuEnquiryRoom room = {manager->context.backend, manager->context.workers.calls,
                                    manager->hostinfo,        &manager->context.config->policy,
                                    manager->context.files,   manager->context.readers};

    viommu_enquiry_plan(&room, enquiry, waiter);
}

/* --- Orders to a running guest --- */

/* What follows from an order's success; answers @waiter. */
typedef void (*OrderedFunc)(ViommuManager *manager, ViommuMachine *machine, const ViommuWaiter *waiter);

/* One that was not reset does not tell again. */
static void was_reset(ViommuManager *manager, ViommuMachine *machine, const ViommuWaiter *waiter)
{
    viommu_readiness_reset(manager->readiness, machine);
    viommu_waiter_answer(waiter, &(ViommuOutcome){0});
}

static void was_suspended(ViommuManager *manager, ViommuMachine *machine, const ViommuWaiter *waiter)
{
    viommu_pauses_settle(manager->pauses, machine, VIOMMU_PAUSE_SUSPENDED, waiter);
}

static void was_resumed(ViommuManager *manager, ViommuMachine *machine, const ViommuWaiter *waiter)
{
    viommu_pauses_settle(manager->pauses, machine, VIOMMU_PAUSE_NONE, waiter);
}

typedef struct OrderKind {
    ViommuEnquiryOrder call;
    OrderedFunc ordered;
    const char *refusal; /* of a machine that does not run */
} OrderKind;

static const OrderKind reset_kind = {viommu_backend_reset, was_reset, "only a running machine can be reset"};
static const OrderKind suspend_kind = {viommu_backend_suspend, was_suspended,
                                       "only a running machine can be suspended"};
static const OrderKind resume_kind = {viommu_backend_resume, was_resumed,
                                      "only a paused machine can be resumed"};

typedef struct Order {
    ViommuManager *manager;
    const OrderKind *kind;
    char *uuid;
    ViommuWaiter waiter;
} Order;

static void on_ordered(const ViommuOutcome *outcome, void *userdata)
{
    Order *order = userdata;
    ViommuMachine *machine = viommu_registry_by_uuid(order->manager->registry, order->uuid);

    if (machine && !outcome->error)
        order->kind->ordered(order->manager, machine, &order->waiter);
    else
        viommu_waiter_answer(&order->waiter, outcome);
    g_free(order->uuid);
    g_free(order);
}

static void give_order(ViommuManager *manager, const OrderKind *kind, const ViommuMachine *machine,
                       const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;
    Order *order;

    if (viommu_machine_check_known(machine, &error) && machine->state != VIOMMU_STATE_RUNNING)
        viommu_fail(&error, VIOMMU_ERROR_BUSY, "machine '%s' is %s; %s", machine->name,
                    viommu_machine_state_word(machine), kind->refusal);
    if (error) {
        viommu_waiter_fail(waiter, error);
        return;
    }
    order = g_new(Order, 1);
    *order = (Order){manager, kind, g_strdup(machine->uuid), *waiter};
    viommu_enquiry_order(manager->context.backend, manager->context.workers.calls, machine, kind->call,
                         &(ViommuWaiter){on_ordered, order});
}

void viommu_manager_reset(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    give_order(manager, &reset_kind, machine, waiter);
}

void viommu_manager_suspend(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    give_order(manager, &suspend_kind, machine, waiter);
}

void viommu_manager_resume(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    give_order(manager, &resume_kind, machine, waiter);
}

/* --- Other calls --- */

void viommu_manager_attach(ViommuManager *manager, const ViommuMachine *machine,
                           const ViommuAttachOrder *order, const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (viommu_manager_check_not_ending(manager, &error)) {
        viommu_device_keeper_attach(manager->devices, machine, order, waiter);
        return;
    }
    if (order->fds)
        g_array_unref(order->fds);
    viommu_waiter_fail(waiter, error);
}

void viommu_manager_detach(ViommuManager *manager, ViommuMachine *machine, const char *id,
                           const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (viommu_manager_check_not_ending(manager, &error))
        viommu_device_keeper_detach(manager->devices, machine, id, waiter);
    else
        viommu_waiter_fail(waiter, error);
}

void viommu_manager_verify(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                           const ViommuWaiter *waiter)
{
    viommu_verifier_verify(manager->verifier, VIOMMU_VERIFY_IOMMU, machine, seconds, waiter);
}

void viommu_manager_await_ready(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                                const ViommuWaiter *waiter)
{
    viommu_verifier_verify(manager->verifier, VIOMMU_VERIFY_READY, machine, seconds, waiter);
}

bool viommu_manager_told_ready(ViommuManager *manager, uint32_t cid)
{
    return viommu_readiness_told(manager->readiness, cid);
}

void viommu_manager_exec(ViommuManager *manager, const ViommuMachine *machine, const ViommuExecOrder *order,
                         const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;

    if (viommu_manager_check_not_ending(manager, &error)) {
        viommu_exec_keeper_run(manager->execs, machine, order, waiter);
        return;
    }
    g_array_unref(order->fds);
    viommu_waiter_fail(waiter, error);
}

void viommu_manager_caller_gone(ViommuManager *manager, const char *caller)
{
    viommu_exec_keeper_caller_gone(manager->execs, caller);
}

bool viommu_manager_open_console(ViommuManager *manager, ViommuMachine *machine, int *ret_fd, GError **error)
{
    return viommu_manager_check_not_ending(manager, error) &&
           viommu_console_keeper_attach(manager->consoles, machine, ret_fd, error);
}

bool viommu_manager_open_console_log(ViommuManager *manager, const char *name, const uint32_t *uid,
                                     int *ret_fd, GError **error)
{
    return viommu_console_keeper_open_log(manager->consoles, name, uid, ret_fd, error);
}

void viommu_manager_take_console(ViommuManager *manager, const char *uuid)
{
    viommu_console_keeper_take(manager->consoles, uuid);
}

void viommu_manager_get_xml(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter)
{
    viommu_enquiry_xml(manager->context.backend, manager->context.workers.calls, machine, waiter);
}

/* --- Beginning, news and end --- */

void viommu_manager_settled(const ViommuOutcome *unused, void *userdata)
{
    ViommuManager *manager = userdata;

    viommu_leases_watch_all(manager->leases);
    viommu_evictions_watch(manager->evictions);
    viommu_console_keeper_open_all(manager->consoles);
    viommu_reach_keeper_watch_all(manager->reach);
    viommu_device_keeper_look(manager->devices);
}

static void on_settled(const ViommuOutcome *outcome, void *userdata)
{
    ViommuManager *manager = userdata;

    viommu_manager_settled(outcome, manager);
    if (!outcome->error)
        viommu_readiness_listed(manager->readiness);
    viommu_console_keeper_sweep(manager->consoles);
    viommu_adoption_part_done(manager->adoption);
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

/* libvirt, too, looks for its guests after its start.  Until then it lists dead ones as running,
 * and it sends no event when it finds one dead.  So its domains are listed again, so many seconds
 * after the listing before. */
static const unsigned look_again_sec[] = {2, 8, 50};

static void set_look_again(ViommuManager *manager);

static int on_look_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuManager *manager = userdata;

    viommu_settle_run(manager->settle, viommu_manager_settled, manager);
    set_look_again(manager);
    return 0;
}

/* Sets the timer for the next look, if there is one. */
static void set_look_again(ViommuManager *manager)
{
    int r = 0;
    uint64_t usec;

    if (manager->looks == G_N_ELEMENTS(look_again_sec))
        return;
    usec = look_again_sec[manager->looks++] * G_USEC_PER_SEC;
    if (!manager->look_again)
        r = sd_event_add_time_relative(viommu_loop_event(manager->context.loop), &manager->look_again,
                                       CLOCK_MONOTONIC, usec, 0, on_look_again, manager);
    else if ((r = sd_event_source_set_time_relative(manager->look_again, usec)) >= 0)
        r = sd_event_source_set_enabled(manager->look_again, SD_EVENT_ONESHOT);
    if (r < 0)
        viommu_log(LOG_ERR, NULL, "Cannot set the timer of the next listing: %s", g_strerror(-r));
}

static void set_connected(ViommuManager *manager, const ViommuNews *news)
{
    bool connected = news->kind == VIOMMU_NEWS_CONNECTED;
    bool changed = manager->connected != connected;

    manager->connected = connected;
    manager->look_again = sd_event_source_disable_unref(manager->look_again);
    manager->looks = 0;
    viommu_console_keeper_set_connected(manager->consoles, connected);
    viommu_device_keeper_doubt(manager->devices);
    if (connected) {
        viommu_log(LOG_INFO, NULL, "Connected to libvirt at %s", viommu_manager_uri(manager));
        viommu_adoption_connected(manager->adoption, 2);
        viommu_settle_run(manager->settle, on_settled, manager);
        set_look_again(manager);
        viommu_hostinfo_refresh(manager->hostinfo, on_host_learnt, manager);
    } else {
        viommu_log(LOG_WARNING, NULL, "No connection to libvirt at %s: %s", viommu_manager_uri(manager),
                   news->detail ? news->detail : "it is gone");
        viommu_adoption_finish(manager->adoption);
    }
    if (changed && manager->connection_func)
        manager->connection_func(manager->connection_data);
}

/* libvirt does not know why viommud ended a guest. */
static void end_console(ViommuManager *manager, ViommuMachine *machine, const ViommuNews *news)
{
    const char *why = viommu_evictions_words(manager->evictions, machine->uuid);
    ViommuNews told = *news;

    if (why)
        told.detail = (char *)why;
    viommu_console_keeper_end(manager->consoles, machine, &told);
}

void viommu_manager_take_news(ViommuManager *manager, const ViommuNews *news)
{
    const ViommuNewsMeaning *meaning = viommu_news_meaning(news->kind);
    ViommuMachine *machine = viommu_registry_by_uuid(manager->registry, news->uuid);
    ViommuStop *stop = machine ? viommu_job_work(machine->job, VIOMMU_JOB_STOP) : NULL;

    if (meaning->connection) {
        set_connected(manager, news);
    } else if (stop) {
        /* Every other event during a stop is the stop's own effect. */
        if (meaning->by_itself)
            viommu_stop_hurry(stop);
    } else {
        if (machine && meaning->ends) {
            end_console(manager, machine, news);
            viommu_reach_keeper_forget(manager->reach, machine);
        }
        viommu_settle_take_news(manager->settle, news);
        /* Somebody else started it. */
        if (machine && news->kind == VIOMMU_NEWS_STARTED)
            viommu_reach_keeper_watch(manager->reach, machine);
        if (machine && news->kind == VIOMMU_NEWS_DEVICE_REMOVED)
            viommu_device_keeper_removed(manager->devices, machine, news->detail);
        if (machine && news->kind == VIOMMU_NEWS_DEVICE_KEPT)
            viommu_device_keeper_kept(manager->devices, machine, news->detail);
        if (machine && news->kind == VIOMMU_NEWS_REBOOTED)
            viommu_readiness_reset(manager->readiness, machine);
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
    g_autoptr(GError) error = NULL;

    viommu_manager_check_not_ending(manager, &error);
    manager->over = true;
    manager->timeout = sd_event_source_disable_unref(manager->timeout);
    for (ViommuJob *job; (job = next_job(&machines));)
        viommu_job_fail(job, error);
    viommu_verifier_fail_all(manager->verifier, error);
    viommu_exec_keeper_fail_all(manager->execs, error);
    viommu_pauses_fail_all(manager->pauses, error);
    viommu_device_keeper_fail_all(manager->devices, error);
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
    /* No machine can vanish during this loop, because no job begins or ends any more. */
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
    manager->look_again = sd_event_source_disable_unref(manager->look_again);
    viommu_adoption_cancel(manager->adoption);
    viommu_hostinfo_end(manager->hostinfo);
    hurry_stops(manager);
    if (sd_event_add_time_relative(viommu_loop_event(manager->context.loop), &manager->timeout,
                                   CLOCK_MONOTONIC, VIOMMU_MANAGER_END_SEC * G_USEC_PER_SEC, 0,
                                   on_end_too_slow, manager) < 0) {
        finish_end(manager, false);
        return;
    }
    abandon_waiting(manager);
    viommu_manager_check_end(manager);
}
