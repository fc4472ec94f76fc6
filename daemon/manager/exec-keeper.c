/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec-keeper: a list of commands, each with its caller. */
#include "daemon/manager/exec-keeper.h"

#include <string.h>
#include "daemon/manager/verifier.h"
#include "lib/base/error.h"

struct ViommuExecKeeper {
    ViommuExecKeeperContext context;
    GPtrArray *commands; /* of Command, owned */
};

typedef struct Command {
    ViommuExecKeeper *keeper;
    ViommuExec *exec;
    ViommuWaiter waiter;
    char *caller; /* NULL: it cannot leave */
    uint32_t owner_uid;
} Command;

static void free_command(void *data)
{
    Command *command = data;

    viommu_exec_free(command->exec);
    g_free(command->caller);
    g_free(command);
}

ViommuExecKeeper *viommu_exec_keeper_new(const ViommuExecKeeperContext *context)
{
    ViommuExecKeeper *keeper = g_new0(ViommuExecKeeper, 1);

    keeper->context = *context;
    keeper->commands = g_ptr_array_new_with_free_func(free_command);
    return keeper;
}

void viommu_exec_keeper_free(ViommuExecKeeper *keeper)
{
    if (!keeper)
        return;
    g_ptr_array_unref(keeper->commands);
    g_free(keeper);
}

/* --- Its calls --- */

static ViommuMachine *find(const char *uuid, void *userdata)
{
    return viommu_registry_by_uuid(((Command *)userdata)->keeper->context.registry, uuid);
}

static void on_broke(ViommuMachine *machine, const GError *error, void *userdata)
{
    viommu_verifier_broke(((Command *)userdata)->keeper->context.registry, machine, error);
}

static void on_done(ViommuExec *exec, int status, const GError *error, void *userdata)
{
    const Command *command = userdata;
    ViommuOutcome outcome = {.error = error, .status = status};

    viommu_waiter_answer(&command->waiter, &outcome);
}

static void on_gone(ViommuExec *exec, void *userdata)
{
    Command *command = userdata;

    g_ptr_array_remove_fast(command->keeper->commands, command);
}

/* --- What is refused --- */

static bool check_words(const char *const *argv, GError **error)
{
    size_t size = 0;

    if (!argv || !argv[0] || !argv[0][0])
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST, "argv names no command");
    /* The guest's shell would read it as an option of its own. */
    if (argv[0][0] == '-')
        return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                           "argv names the command '%.64s', which begins with '-'; give its path", argv[0]);
    for (; *argv; argv++)
        size += strlen(*argv) + 1;
    if (size <= VIOMMU_EXEC_WORDS_MAX)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INVALID_REQUEST,
                       "argv has %zu bytes, and the maximum is %u; send more to the command's input", size,
                       VIOMMU_EXEC_WORDS_MAX);
}

static bool check_machine(const ViommuMachine *machine, GError **error)
{
    if (!viommu_machine_check_known(machine, error))
        return false;
    if (machine->state == VIOMMU_STATE_RUNNING && machine->pause == VIOMMU_PAUSE_NONE)
        return true;
    return viommu_fail(error, VIOMMU_ERROR_BUSY, "machine '%s' is %s; only a running machine runs commands",
                       machine->name, viommu_machine_state_word(machine));
}

static bool check_limits(const ViommuExecKeeper *keeper, uint32_t owner_uid, GError **error)
{
    unsigned n = 0;

    for (guint i = 0; i < keeper->commands->len; i++)
        n += ((const Command *)g_ptr_array_index(keeper->commands, i))->owner_uid == owner_uid;
    if (n >= VIOMMU_EXECS_PER_OWNER)
        return viommu_fail(error, VIOMMU_ERROR_BUSY,
                           "%u commands already run in guests of user %u, the maximum; try again later", n,
                           owner_uid);
    if (keeper->commands->len >= VIOMMU_EXECS_MAX)
        return viommu_fail(error, VIOMMU_ERROR_BUSY,
                           "%u commands already run in guests, the maximum; try again later",
                           keeper->commands->len);
    return true;
}

/* --- Running --- */

/* Takes @fds. */
static bool begin(Command *command, const ViommuMachine *machine, const char *const *argv, GArray *fds,
                  GError **error)
{
    ViommuExecCalls calls = {find, on_broke, on_done, on_gone, command};
    ViommuExecAim aim = {.uuid = machine->uuid, .argv = argv};

    if (!viommu_relay_new(fds, &aim.relay, error))
        return false;
    command->exec = viommu_exec_new(&command->keeper->context.exec, &aim, &calls, error);
    return command->exec;
}

void viommu_exec_keeper_run(ViommuExecKeeper *keeper, const ViommuMachine *machine,
                            const ViommuExecOrder *order, const ViommuWaiter *waiter)
{
    g_autoptr(GError) error = NULL;
    GArray *fds = order->fds;
    Command *command = g_new0(Command, 1);

    command->keeper = keeper;
    command->waiter = *waiter;
    command->caller = g_strdup(order->caller);
    command->owner_uid = machine->owner_uid;
    if (check_words(order->argv, &error) && check_machine(machine, &error) &&
        check_limits(keeper, machine->owner_uid, &error) &&
        begin(command, machine, order->argv, g_steal_pointer(&fds), &error)) {
        g_ptr_array_add(keeper->commands, command);
        return;
    }
    g_clear_pointer(&fds, g_array_unref);
    free_command(command);
    viommu_waiter_fail(waiter, error);
}

void viommu_exec_keeper_caller_gone(ViommuExecKeeper *keeper, const char *caller)
{
    g_autoptr(GError) error = g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BUSY, "the caller has disconnected");

    for (guint i = 0; i < keeper->commands->len; i++) {
        const Command *command = g_ptr_array_index(keeper->commands, i);

        if (g_strcmp0(command->caller, caller) == 0)
            viommu_exec_abort(command->exec, error);
    }
}

void viommu_exec_keeper_fail_all(ViommuExecKeeper *keeper, const GError *error)
{
    for (guint i = 0; i < keeper->commands->len; i++)
        viommu_exec_abort(((const Command *)g_ptr_array_index(keeper->commands, i))->exec, error);
}
