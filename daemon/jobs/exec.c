/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* exec: a timer for the next step, one step at a time, and the sockets of the relay. */
#include "daemon/jobs/exec.h"

#include <errno.h>
#include <signal.h>
#include <sys/socket.h>
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/error.h"

/* A step begins at once when there is something to do, and otherwise after a pause that doubles.
 * The shortest pause lets the owner's other guests be asked. */
#define REST_USEC     (20 * 1000)
#define REST_MAX_USEC (G_USEC_PER_SEC / 2)
/* An agent that is slow may miss some steps; it is asked again. */
#define MISSES_MAX 6u
/* How often the end is tried. */
#define END_TRIES 10u

#define STATUS_SIGNAL 128

typedef enum StepKind {
    STEP_START,
    STEP_MOVE,
    STEP_END
} StepKind;

/* What the worker works on; it may outlive its exec. */
typedef struct Step {
    ViommuExec *exec; /* NULL: freed.  Loop thread only. */
    StepKind kind;
    ViommuBackend *backend;
    char *uuid;
    uint32_t owner_uid;
    ViommuAgents *agents; /* a reference */
    char **argv;
    ViommuGuestCommand command;
    ViommuGuestStep what;
    bool had_input, told_end; /* what was to be done */
    bool kills, broke, good;
    int dropped; /* atomic: the worker reads it, too */
    GError *error;
} Step;

/* One of the command's outputs. */
typedef struct Output {
    ViommuExec *exec;
    sd_event_source *source;
    GBytes *waits; /* for the caller to read; NULL: nothing */
    bool is_whole; /* nothing more comes */
} Output;

struct ViommuExec {
    ViommuExecContext context;
    ViommuExecCalls calls;
    char uuid[37];
    char **argv;
    ViommuGuestCommand command;
    ViommuRelay *relay;
    Step *step; /* under way; NULL: none */
    sd_event_source *timer, *input_source, *over_source;
    GBytes *input; /* not yet written; NULL: none */
    bool input_ended, input_told;
    Output outputs[VIOMMU_GUEST_OUTPUTS];
    uint64_t rest_usec;
    unsigned misses, end_tries;
    bool is_started, is_ending, is_answered;
    bool kills; /* at the end */
};

/* --- Freeing --- */

static void free_step(Step *step)
{
    viommu_agents_unref(step->agents);
    viommu_guest_command_clear(&step->command);
    viommu_guest_step_clear(&step->what);
    g_strfreev(step->argv);
    g_free(step->uuid);
    g_clear_error(&step->error);
    g_free(step);
}

/* The caller's descriptors are let go, by a thread that on_over() hears of. */
static void drop_relay(ViommuExec *exec)
{
    exec->input_source = sd_event_source_disable_unref(exec->input_source);
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        exec->outputs[i].source = sd_event_source_disable_unref(exec->outputs[i].source);
    if (exec->relay)
        viommu_relay_drop(exec->relay);
}

void viommu_exec_free(ViommuExec *exec)
{
    if (!exec)
        return;
    if (exec->step) {
        g_atomic_int_set(&exec->step->dropped, 1);
        exec->step->exec = NULL;
    }
    drop_relay(exec);
    sd_event_source_disable_unref(exec->over_source);
    viommu_relay_free(exec->relay);
    sd_event_source_disable_unref(exec->timer);
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        g_clear_pointer(&exec->outputs[i].waits, g_bytes_unref);
    g_clear_pointer(&exec->input, g_bytes_unref);
    viommu_guest_command_clear(&exec->command);
    g_strfreev(exec->argv);
    g_free(exec);
}

/* --- The answer and the end --- */

static void wait_for(ViommuExec *exec, uint64_t usec)
{
    (void)sd_event_source_set_time_relative(exec->timer, usec);
    (void)sd_event_source_set_enabled(exec->timer, SD_EVENT_ONESHOT);
}

static void answer(ViommuExec *exec, int status, const GError *error)
{
    if (exec->is_answered)
        return;
    exec->is_answered = true;
    drop_relay(exec);
    exec->calls.done(exec, status, error, exec->calls.userdata);
}

/* The files in the guest are removed while the caller may still read. */
static void begin_end(ViommuExec *exec, bool kills)
{
    if (exec->is_ending)
        return;
    exec->is_ending = true;
    exec->kills = kills;
    wait_for(exec, 0);
}

void viommu_exec_abort(ViommuExec *exec, const GError *error)
{
    begin_end(exec, true);
    answer(exec, -1, error);
}

static void abort_with(ViommuExec *exec, GError *taken)
{
    g_autoptr(GError) error = taken;

    viommu_exec_abort(exec, error);
}

/* As a command that writes to a pipe whose reader is gone. */
static void end_unread(ViommuExec *exec)
{
    begin_end(exec, true);
    answer(exec, STATUS_SIGNAL + SIGPIPE, NULL);
}

static void tell_gone(ViommuExec *exec)
{
    g_autoptr(GError) error = NULL;

    if (!exec->is_answered) {
        viommu_fail(&error, VIOMMU_ERROR_BACKEND, "the command ended without a status");
        answer(exec, -1, error);
    }
    exec->calls.gone(exec, exec->calls.userdata);
}

/* --- The caller's side --- */

static void listen_for_input(ViommuExec *exec)
{
    if (exec->input_source)
        (void)sd_event_source_set_enabled(exec->input_source,
                                          exec->input || exec->input_ended ? SD_EVENT_OFF : SD_EVENT_ON);
}

static int on_input(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    ViommuExec *exec = userdata;
    g_autofree char *data = g_malloc(VIOMMU_GUEST_PIECE);
    ssize_t n = recv(fd, data, VIOMMU_GUEST_PIECE, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n > 0)
        exec->input = g_bytes_new_take(g_steal_pointer(&data), (gsize)n);
    else
        exec->input_ended = true;
    listen_for_input(exec);
    exec->rest_usec = REST_USEC;
    if (!exec->step && exec->is_started && !exec->is_ending)
        wait_for(exec, 0);
    return 0;
}

/* The events of an output: it hangs up when nobody reads it any more. */
static void watch_output(ViommuExec *exec, size_t i)
{
    Output *output = &exec->outputs[i];

    if (!output->source)
        return;
    if (output->is_whole && !output->waits) {
        output->source = sd_event_source_disable_unref(output->source);
        (void)shutdown(exec->relay->ends[i + 1], SHUT_WR);
    } else {
        (void)sd_event_source_set_io_events(output->source, output->waits ? EPOLLOUT : 0);
    }
}

/* False: nobody reads it. */
static bool send_output(ViommuExec *exec, size_t i)
{
    Output *output = &exec->outputs[i];
    gsize size;
    const void *data = g_bytes_get_data(output->waits, &size);
    ssize_t n = send(exec->relay->ends[i + 1], data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    GBytes *rest = NULL;

    if (n < 0 && errno != EAGAIN && errno != EINTR)
        return false;
    if (n < 0)
        return true;
    if ((gsize)n < size)
        rest = g_bytes_new_from_bytes(output->waits, (gsize)n, size - (gsize)n);
    g_bytes_unref(output->waits);
    output->waits = rest;
    return true;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    Output *output = userdata;
    ViommuExec *exec = output->exec;
    size_t i = (size_t)(output - exec->outputs);

    if ((events & (EPOLLERR | EPOLLHUP)) || (output->waits && !send_output(exec, i))) {
        end_unread(exec);
        return 0;
    }
    watch_output(exec, i);
    if (!output->waits && !output->is_whole && !exec->step && !exec->is_ending)
        wait_for(exec, 0);
    return 0;
}

static bool is_whole(const ViommuExec *exec)
{
    return exec->command.exited && exec->outputs[0].is_whole && exec->outputs[1].is_whole;
}

/* The caller's outputs are carried, or broken, or were dropped. */
static int on_over(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    ViommuExec *exec = userdata;

    exec->over_source = sd_event_source_disable_unref(exec->over_source);
    if (is_whole(exec))
        answer(exec, exec->command.status, NULL);
    else
        end_unread(exec);
    g_clear_pointer(&exec->relay, viommu_relay_free);
    if (!exec->step)
        wait_for(exec, 0);
    return 0;
}

/* --- Steps --- */

static void work(void *data)
{
    Step *step = data;

    if (g_atomic_int_get(&step->dropped) && step->kind != STEP_END)
        return;
    switch (step->kind) {
    case STEP_START:
        step->good = viommu_backend_start_in_guest(step->backend, step->uuid, (const char *const *)step->argv,
                                                   &step->command, &step->broke, &step->error);
        return;
    case STEP_MOVE:
        step->good = viommu_backend_step_in_guest(step->backend, step->uuid, &step->command, &step->what,
                                                  &step->broke, &step->error);
        return;
    case STEP_END:
        step->good = viommu_backend_end_in_guest(step->backend, step->uuid, &step->command, step->kills,
                                                 &step->broke, &step->error);
        return;
    }
}

/* Also when nobody needs the answer, because its effect on the connection counts. */
static void settle(const Step *step)
{
    const ViommuAgentsGuest guest = {step->uuid, step->owner_uid};
    ViommuExec *exec = step->exec;
    ViommuMachine *machine;

    if (!viommu_agents_end(step->agents, &guest, step->broke))
        return;
    machine = exec ? exec->calls.find(exec->uuid, exec->calls.userdata) : NULL;
    if (machine)
        exec->calls.broke(machine, step->error, exec->calls.userdata);
    else if (viommu_journal_may_tell(step->owner_uid))
        viommu_log_error(LOG_WARNING, &(ViommuLogFields){.machine_uuid = step->uuid}, step->error,
                         "a command in a guest");
}

static bool is(const GError *error, ViommuError code)
{
    return g_error_matches(error, VIOMMU_ERROR, (int)code);
}

/* The channel that is missing is no machine that is missing. */
static GError *reword(const ViommuExec *exec, const GError *error)
{
    ViommuMachine *machine = exec->calls.find(exec->uuid, exec->calls.userdata);

    return g_error_new(
        VIOMMU_ERROR, is(error, VIOMMU_ERROR_NOT_FOUND) ? VIOMMU_ERROR_NOT_SUPPORTED : error->code,
        "machine '%s' cannot run the command: %s", machine ? machine->name : exec->uuid, error->message);
}

static void take_failure(ViommuExec *exec, const Step *step)
{
    exec->misses++;
    if (step->kind == STEP_MOVE && is(step->error, VIOMMU_ERROR_BUSY) && !step->broke &&
        exec->misses < MISSES_MAX)
        return;
    abort_with(exec, reword(exec, step->error));
}

static void take_output(ViommuExec *exec, Step *step, size_t i)
{
    Output *output = &exec->outputs[i];
    GBytes *bytes = g_steal_pointer(&step->what.output[i]);

    if (!bytes)
        return;
    if (g_bytes_get_size(bytes) > 0) {
        output->waits = bytes;
        exec->rest_usec = REST_USEC;
    } else {
        g_bytes_unref(bytes);
    }
    output->is_whole = exec->command.exited && step->what.ends[i];
    if (output->waits && !send_output(exec, i))
        end_unread(exec);
    else
        watch_output(exec, i);
}

static void take_move(ViommuExec *exec, Step *step)
{
    if (exec->is_answered)
        return;
    /* More may have come meanwhile. */
    if (step->had_input && !step->what.input)
        g_clear_pointer(&exec->input, g_bytes_unref);
    exec->input_told |= step->told_end && !step->what.input_ends;
    listen_for_input(exec);
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS && !exec->is_answered; i++)
        take_output(exec, step, i);
    if (exec->is_answered)
        return;
    if (is_whole(exec))
        begin_end(exec, false);
    else if (!step->good)
        take_failure(exec, step);
    else
        exec->misses = 0;
}

static void take_end(ViommuExec *exec, const Step *step)
{
    if (!step->good && !step->broke && ++exec->end_tries < END_TRIES)
        return;
    if (!step->good && viommu_journal_may_tell(step->owner_uid))
        viommu_log_error(LOG_INFO, &(ViommuLogFields){.machine_uuid = exec->uuid}, step->error,
                         "removing a command's files from a guest");
    g_clear_pointer(&exec->command.directory, g_free);
}

static void done(void *data)
{
    Step *step = data;
    ViommuExec *exec = step->exec;

    settle(step);
    if (exec) {
        exec->step = NULL;
        viommu_guest_command_clear(&exec->command);
        exec->command = step->command;
        step->command.directory = NULL;
        if (step->kind == STEP_MOVE)
            take_move(exec, step);
        else if (step->kind == STEP_END)
            take_end(exec, step);
        else if (step->good)
            exec->is_started = true;
        else
            take_failure(exec, step);
        wait_for(exec, exec->is_ending && step->kind != STEP_END ? 0 : exec->rest_usec);
        exec->rest_usec = MIN(exec->rest_usec * 2, REST_MAX_USEC);
    }
    free_step(step);
}

static StepKind next_kind(const ViommuExec *exec)
{
    if (exec->is_ending)
        return STEP_END;
    return exec->is_started ? STEP_MOVE : STEP_START;
}

static void begin_step(ViommuExec *exec, const ViommuMachine *machine)
{
    Step *step = g_new0(Step, 1);

    step->exec = exec;
    step->kind = next_kind(exec);
    step->backend = exec->context.backend;
    step->uuid = g_strdup(exec->uuid);
    step->owner_uid = machine->owner_uid;
    step->agents = viommu_agents_ref(exec->context.agents);
    step->argv = g_strdupv(exec->argv);
    step->kills = exec->kills;
    step->command = exec->command;
    exec->command.directory = g_strdup(exec->command.directory);
    step->what.input = exec->input ? g_bytes_ref(exec->input) : NULL;
    step->what.input_ends = exec->input_ended && !exec->input_told;
    step->had_input = step->what.input;
    step->told_end = step->what.input_ends;
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        step->what.wants[i] = !exec->outputs[i].waits && !exec->outputs[i].is_whole;
    exec->step = step;
    viommu_worker_run(exec->context.askers, VIOMMU_WORKER_NOBODY, work, done, step);
}

/* Nothing to ask for: the caller reads nothing, and writes nothing. */
static bool is_idle(const ViommuExec *exec)
{
    return !exec->is_ending && exec->is_started && exec->outputs[0].waits && exec->outputs[1].waits &&
           !exec->input;
}

/* Why the guest can no longer be asked; NULL: it can. */
static GError *find_trouble(const ViommuExec *exec, const ViommuMachine *machine)
{
    const ViommuAgentsGuest guest = {exec->uuid, machine ? machine->owner_uid : 0};
    const char *refusal = viommu_agents_refusal(exec->context.agents, &guest);

    if (!machine || machine->state != VIOMMU_STATE_RUNNING)
        return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BUSY, "the machine is %s and runs no command",
                           machine ? viommu_machine_state_word(machine) : "gone");
    if (viommu_pause_is_trouble(machine->pause))
        return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_BACKEND, "the guest is paused: %s",
                           viommu_pause_words(machine->pause));
    if (refusal)
        return g_error_new(VIOMMU_ERROR, VIOMMU_ERROR_NOT_SUPPORTED,
                           "machine '%s' cannot run the command: %s", machine->name, refusal);
    return NULL;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    ViommuExec *exec = userdata;
    const ViommuMachine *machine = exec->calls.find(exec->uuid, exec->calls.userdata);
    ViommuAgentsGuest guest = {exec->uuid, machine ? machine->owner_uid : 0};
    GError *trouble;

    if (exec->step)
        return 0;
    trouble = find_trouble(exec, machine);
    if (trouble) {
        /* Nothing can be removed there any more. */
        g_clear_pointer(&exec->command.directory, g_free);
        exec->is_ending = true;
        if (!is_whole(exec))
            abort_with(exec, g_steal_pointer(&trouble));
        g_clear_error(&trouble);
    }
    if (exec->is_ending && !exec->command.directory) {
        /* The caller may still be reading the last of the output, and a thread that somebody makes
         * wait counts against the owner's commands: on_over() comes. */
        if (!exec->relay)
            tell_gone(exec);
        return 0;
    }
    if (is_idle(exec))
        wait_for(exec, REST_MAX_USEC);
    else if (viommu_agents_begin(exec->context.agents, &guest))
        begin_step(exec, machine);
    else
        wait_for(exec, REST_USEC);
    return 0;
}

/* --- The beginning --- */

static int watch(ViommuExec *exec)
{
    sd_event *event = viommu_loop_event(exec->context.loop);
    int r = sd_event_add_time_relative(event, &exec->timer, CLOCK_MONOTONIC, 0, 0, on_timer, exec);

    if (r >= 0)
        r = sd_event_add_io(event, &exec->input_source, exec->relay->ends[0], EPOLLIN, on_input, exec);
    if (r >= 0)
        r = sd_event_add_io(event, &exec->over_source, exec->relay->over, EPOLLHUP, on_over, exec);
    for (size_t i = 0; r >= 0 && i < VIOMMU_GUEST_OUTPUTS; i++)
        r = sd_event_add_io(event, &exec->outputs[i].source, exec->relay->ends[i + 1], 0, on_output,
                            &exec->outputs[i]);
    return r;
}

ViommuExec *viommu_exec_new(const ViommuExecContext *context, const ViommuExecAim *aim,
                            const ViommuExecCalls *calls, GError **error)
{
    ViommuExec *exec = g_new0(ViommuExec, 1);
    int r;

    exec->context = *context;
    exec->calls = *calls;
    g_strlcpy(exec->uuid, aim->uuid, sizeof(exec->uuid));
    exec->argv = g_strdupv((char **)aim->argv);
    exec->relay = aim->relay;
    exec->rest_usec = REST_USEC;
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++)
        exec->outputs[i].exec = exec;
    r = watch(exec);
    if (r >= 0)
        return exec;
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot wait: %s", g_strerror(-r));
    viommu_exec_free(exec);
    return NULL;
}
