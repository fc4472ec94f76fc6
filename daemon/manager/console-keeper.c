/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* console-keeper: walks over the machines every few seconds, and sweeps the logs now and then. */
#include "daemon/manager/console-keeper.h"

#include "daemon/console/console-log.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"

/* How often to look for consoles that could not be opened, or that broke. */
#define LOOK_SEC 10
/* How often, counted in looks, to delete logs of machines that are gone. */
#define SWEEP_LOOKS 6
/* Each attached client takes a file descriptor of viommud. */
#define ATTACHED_PER_OWNER_MAX 64

struct ViommuConsoleKeeper {
    ViommuConsoleKeeperContext context;
    bool connected;
    bool sweeping; /* a worker deletes logs */
    bool moving;   /* a worker moves logs of a former version; consoles are opened afterwards */
    unsigned looks;
    sd_event_source *look; /* timer: looks for consoles that are not open */
};

/* --- Reading them --- */

void viommu_console_keeper_name_log(ViommuConsoleKeeper *keeper, ViommuMachine *machine)
{
    if (keeper->context.has_consoles && !machine->console_log && !machine->foreign)
        viommu_machine_set_console_log(
            machine, viommu_console_log_path(keeper->context.config->console_directory, machine->owner_uid,
                                             machine->name, machine->uuid));
}

static ViommuConsole *console_of(ViommuConsoleKeeper *keeper, ViommuMachine *machine)
{
    ViommuConsoleContext context = {keeper->context.loop, keeper->context.backend,
                                    keeper->context.config->console_log_bytes};

    if (!machine->console)
        viommu_machine_set_console(machine,
                                   viommu_console_new(&context, machine->uuid, machine->console_log));
    return machine->console;
}

void viommu_console_keeper_take(ViommuConsoleKeeper *keeper, const char *uuid)
{
    ViommuMachine *machine = viommu_registry_by_uuid(keeper->context.registry, uuid);

    /* The output of a machine that is gone is dropped. */
    if (machine)
        viommu_console_take(console_of(keeper, machine));
    else
        viommu_console_news_free(viommu_backend_take_console(keeper->context.backend, uuid));
}

static bool may_open(const ViommuConsoleKeeper *keeper, const ViommuMachine *machine)
{
    return machine->state == VIOMMU_STATE_RUNNING && !machine->foreign && keeper->connected &&
           !keeper->moving;
}

void viommu_console_keeper_open_all(ViommuConsoleKeeper *keeper)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(keeper->context.registry);

    if (!keeper->context.has_consoles)
        return;
    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));) {
        viommu_console_keeper_name_log(keeper, machine);
        if (may_open(keeper, machine) && !(machine->console && viommu_console_is_open(machine->console)))
            viommu_backend_open_console(keeper->context.backend, machine->uuid, machine->owner_uid);
    }
}

/* --- Logs of machines that are gone --- */

typedef struct Sweep {
    ViommuConsoleKeeper *keeper;
    char *directory;
    ViommuConsoleLogKeep keep;
} Sweep;

static void work_sweep(void *data)
{
    const Sweep *sweep = data;

    viommu_console_log_sweep(sweep->directory, &sweep->keep);
}

static void done_sweep(void *data)
{
    Sweep *sweep = data;

    sweep->keeper->sweeping = false;
    g_hash_table_unref(sweep->keep.live);
    g_free(sweep->directory);
    g_free(sweep);
}

void viommu_console_keeper_sweep(ViommuConsoleKeeper *keeper)
{
    const ViommuConfig *config = keeper->context.config;
    ViommuRegistryIterator iterator = viommu_registry_iterate(keeper->context.registry);
    Sweep *sweep;

    /* While libvirt is away, the machines of these logs are not known. */
    if (!keeper->context.has_consoles || keeper->sweeping || keeper->moving || !keeper->connected)
        return;
    keeper->sweeping = true;
    sweep = g_new0(Sweep, 1);
    sweep->keeper = keeper;
    sweep->directory = g_strdup(config->console_directory);
    sweep->keep.seconds = config->console_keep_seconds;
    sweep->keep.count = config->console_keep_logs;
    sweep->keep.bytes = config->bounds.console_log_bytes;
    sweep->keep.live = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        g_hash_table_add(sweep->keep.live, g_strdup(machine->uuid));
    viommu_worker_run(keeper->context.worker, VIOMMU_WORKER_NOBODY, work_sweep, done_sweep, sweep);
}

static int on_look(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuConsoleKeeper *keeper = userdata;

    viommu_console_keeper_open_all(keeper);
    if (++keeper->looks % SWEEP_LOOKS == 0)
        viommu_console_keeper_sweep(keeper);
    (void)sd_event_source_set_time_relative(source, LOOK_SEC * G_USEC_PER_SEC);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- Logs of former versions --- */

typedef struct Moving {
    ViommuConsoleKeeper *keeper;
    GError *error;
} Moving;

static void work_move(void *data)
{
    Moving *moving = data;
    const ViommuConsoleKeeperContext *context = &moving->keeper->context;

    viommu_console_log_take_over(context->former, context->config->console_directory,
                                 context->config->console_log_bytes, &moving->error);
}

static void done_move(void *data)
{
    Moving *moving = data;

    if (moving->error)
        viommu_log_error(LOG_WARNING, NULL, moving->error, "moving console logs of a former version");
    moving->keeper->moving = false;
    viommu_console_keeper_open_all(moving->keeper);
    g_clear_error(&moving->error);
    g_free(moving);
}

static void begin_move(ViommuConsoleKeeper *keeper)
{
    Moving *moving = g_new0(Moving, 1);

    moving->keeper = keeper;
    keeper->moving = true;
    viommu_worker_run(keeper->context.worker, VIOMMU_WORKER_NOBODY, work_move, done_move, moving);
}

/* --- Beginning and end --- */

ViommuConsoleKeeper *viommu_console_keeper_new(const ViommuConsoleKeeperContext *context)
{
    ViommuConsoleKeeper *keeper = g_new0(ViommuConsoleKeeper, 1);

    keeper->context = *context;
    if (context->has_consoles && context->former)
        begin_move(keeper);
    if (context->has_consoles)
        (void)sd_event_add_time_relative(viommu_loop_event(context->loop), &keeper->look, CLOCK_MONOTONIC,
                                         LOOK_SEC * G_USEC_PER_SEC, G_USEC_PER_SEC, on_look, keeper);
    return keeper;
}

void viommu_console_keeper_free(ViommuConsoleKeeper *keeper)
{
    if (!keeper)
        return;
    sd_event_source_disable_unref(keeper->look);
    g_free(keeper);
}

void viommu_console_keeper_set_connected(ViommuConsoleKeeper *keeper, bool connected)
{
    keeper->connected = connected;
}

/* --- Last words --- */

GError *viommu_console_keeper_with_tail(const ViommuMachine *machine, const GError *error)
{
    GError *full = g_error_copy(error);
    g_autofree char *tail = NULL;

    if (!machine->console)
        return full;
    viommu_console_take(machine->console);
    tail = viommu_console_tail(machine->console);
    if (tail) {
        g_auto(GStrv) lines = g_strsplit(tail, "\n", -1);
        g_autofree char *joined = g_strjoinv("\n    ", lines);
        g_autofree char *message = full->message;
        full->message = g_strdup_printf("%s; its console's last lines:\n    %s", message, joined);
    }
    return full;
}

void viommu_console_keeper_end(ViommuConsoleKeeper *keeper, ViommuMachine *machine, const ViommuNews *news)
{
    ViommuLogFields fields = {.machine_name = machine->name, .machine_uuid = machine->uuid};
    bool lives = machine->state == VIOMMU_STATE_RUNNING || machine->state == VIOMMU_STATE_STARTING;
    g_autoptr(GError) error = NULL, full = NULL;

    if (viommu_news_meaning(news->kind)->failure && lives) {
        error = g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "machine '%s': %s", machine->name,
                            news->detail ? news->detail : "the guest ended");
        full = viommu_console_keeper_with_tail(machine, error);
        /* The end is always logged.  The guest's last words are KiBs of untrusted text, so they are
         * limited. */
        viommu_log_error(LOG_NOTICE, &fields, viommu_journal_may_tell(machine->owner_uid) ? full : error,
                         "a guest ended");
        viommu_registry_fail(keeper->context.registry, machine, full);
    }
    if (machine->console) {
        viommu_console_take(machine->console);
        viommu_console_end(machine->console);
    }
}

/* --- Attaching clients --- */

static unsigned n_attached(const ViommuConsoleKeeper *keeper, uint32_t uid)
{
    ViommuRegistryIterator iterator = viommu_registry_iterate(keeper->context.registry);
    unsigned n = 0;

    for (ViommuMachine *machine; (machine = viommu_registry_next(&iterator));)
        if (machine->owner_uid == uid && machine->console)
            n += viommu_console_n_attached(machine->console);
    return n;
}

static bool check_attach(const ViommuConsoleKeeper *keeper, const ViommuMachine *machine, GError **error)
{
    bool lives = machine->state == VIOMMU_STATE_RUNNING || machine->state == VIOMMU_STATE_STARTING ||
                 machine->state == VIOMMU_STATE_STOPPING;

    if (!viommu_machine_check_known(machine, error))
        return false;
    if (!keeper->context.has_consoles)
        viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED, "guests of %s have no console",
                    viommu_backend_uri(keeper->context.backend));
    else if (!lives)
        viommu_fail(error, VIOMMU_ERROR_BUSY,
                    "machine '%s' is %s and has no live console; see its log (viommuctl console --log)",
                    machine->name, viommu_enum_to_string(&viommu_enum_state, (int)machine->state));
    else if (n_attached(keeper, machine->owner_uid) >= ATTACHED_PER_OWNER_MAX)
        viommu_fail(error, VIOMMU_ERROR_BUSY,
                    "user %u already has %u console connections, the maximum; close one of them",
                    machine->owner_uid, ATTACHED_PER_OWNER_MAX);
    else
        return true;
    return false;
}

bool viommu_console_keeper_attach(ViommuConsoleKeeper *keeper, ViommuMachine *machine, int *ret_fd,
                                  GError **error)
{
    return check_attach(keeper, machine, error) &&
           viommu_console_attach(console_of(keeper, machine), ret_fd, error);
}

bool viommu_console_keeper_open_log(const ViommuConsoleKeeper *keeper, const char *name, const uint32_t *uid,
                                    int *ret_fd, GError **error)
{
    const ViommuMachine *machine = viommu_registry_find(keeper->context.registry, name);
    g_autofree char *path = NULL;

    if (machine && (!uid || machine->owner_uid == *uid))
        path = g_strdup(machine->console_log);
    else
        path = viommu_console_log_find(keeper->context.config->console_directory, name, uid);
    if (path)
        return viommu_console_log_open(path, ret_fd, error);
    return viommu_fail(error, VIOMMU_ERROR_NOT_FOUND, "there is no console log of a machine '%.64s'%s", name,
                       uid ? " of yours" : "");
}
