/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-command: a command in a guest, through its agent.  The agent must never have much to say at
 * once: libvirt drops the agent of a guest whose reply is long.  So the command's output goes to
 * files of the guest, which are read in pieces.  All that the agent replies is a guest's word. */
#include "daemon/libvirt/guest-agent.h"

#include <string.h>

#include "daemon/libvirt/guest-command.h"
#include "lib/base/error.h"

#define DIRECTORY_BYTES 128u
#define SIGNAL_STATUS   128

/* The command's files: the name in its directory, and how the agent opens it. */
static const struct {
    const char *name, *mode;
} files[VIOMMU_GUEST_FILES] = {{"in", "r+"}, {"out", "r"}, {"err", "r"}};

/* What each call works on. */
typedef struct Work {
    ViommuGuestCommand *command;
    const char *const *argv;
    ViommuGuestStep *step;
    bool kills;
} Work;

/* --- The agent's commands --- */

/* Takes @arguments, of an object. */
static char *write_command(const char *name, JsonBuilder *arguments)
{
    g_autoptr(JsonBuilder) builder = json_builder_new();
    g_autoptr(JsonNode) root = NULL;

    json_builder_begin_object(builder);
    json_builder_set_member_name(builder, "execute");
    json_builder_add_string_value(builder, name);
    json_builder_set_member_name(builder, "arguments");
    json_builder_add_value(builder, json_builder_get_root(arguments));
    json_builder_end_object(builder);
    g_object_unref(arguments);
    root = json_builder_get_root(builder);
    return json_to_string(root, FALSE);
}

static JsonBuilder *begin_arguments(void)
{
    JsonBuilder *builder = json_builder_new();

    return json_builder_begin_object(builder);
}

static void add_text(JsonBuilder *builder, const char *name, const char *text)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_string_value(builder, text);
}

static void add_number(JsonBuilder *builder, const char *name, int64_t number)
{
    json_builder_set_member_name(builder, name);
    json_builder_add_int_value(builder, number);
}

/* Asks with @arguments, which it takes and ends; only success counts. */
static JsonNode *ask(virDomainPtr domain, const char *name, JsonBuilder *arguments, JsonParser **ret_parser,
                     GError **error)
{
    g_autofree char *command = write_command(name, json_builder_end_object(arguments));

    return viommu_agent_ask(domain, command, ret_parser, error);
}

static bool open_file(virDomainPtr domain, const char *path, const char *mode, int64_t *ret_file,
                      GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonBuilder *arguments = begin_arguments();
    JsonNode *answer;

    add_text(arguments, "path", path);
    add_text(arguments, "mode", mode);
    answer = ask(domain, "guest-file-open", arguments, &parser, error);
    if (!answer)
        return false;
    if (!JSON_NODE_HOLDS_VALUE(answer) || json_node_get_value_type(answer) != G_TYPE_INT64)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "the guest agent sent an invalid reply");
    *ret_file = json_node_get_int(answer);
    return true;
}

/* guest-file-close and guest-file-flush. */
static bool tell_file(virDomainPtr domain, const char *what, int64_t file, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonBuilder *arguments = begin_arguments();

    add_number(arguments, "handle", file);
    return ask(domain, what, arguments, &parser, error) != NULL;
}

static bool seek(virDomainPtr domain, int64_t file, uint64_t offset, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonBuilder *arguments = begin_arguments();

    add_number(arguments, "handle", file);
    add_number(arguments, "offset", (int64_t)offset);
    add_text(arguments, "whence", "set");
    return ask(domain, "guest-file-seek", arguments, &parser, error) != NULL;
}

static bool write_piece(virDomainPtr domain, int64_t file, GBytes *bytes, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonBuilder *arguments = begin_arguments();
    g_autofree char *text = g_base64_encode(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    JsonNode *answer, *count;

    add_number(arguments, "handle", file);
    add_text(arguments, "buf-b64", text);
    answer = ask(domain, "guest-file-write", arguments, &parser, error);
    if (!answer)
        return false;
    count = JSON_NODE_HOLDS_OBJECT(answer)
                ? viommu_agent_member(json_node_get_object(answer), "count", G_TYPE_INT64)
                : NULL;
    if (!count || json_node_get_int(count) != (gint64)g_bytes_get_size(bytes))
        return viommu_fail(error, VIOMMU_ERROR_BACKEND,
                           "the guest did not take all of the command's input; is its disk full?");
    return tell_file(domain, "guest-file-flush", file, error);
}

/* *ret_end: nothing more is there now. */
static GBytes *read_piece(virDomainPtr domain, int64_t file, bool *ret_end, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonBuilder *arguments = begin_arguments();
    JsonNode *answer, *text, *end;
    guchar *data;
    gsize size;

    add_number(arguments, "handle", file);
    add_number(arguments, "count", VIOMMU_GUEST_PIECE);
    answer = ask(domain, "guest-file-read", arguments, &parser, error);
    if (!answer)
        return NULL;
    text = JSON_NODE_HOLDS_OBJECT(answer)
               ? viommu_agent_member(json_node_get_object(answer), "buf-b64", G_TYPE_STRING)
               : NULL;
    if (!text) {
        viommu_fail(error, VIOMMU_ERROR_BACKEND, "the guest agent sent an invalid reply");
        return NULL;
    }
    end = viommu_agent_member(json_node_get_object(answer), "eof", G_TYPE_BOOLEAN);
    data = g_base64_decode(json_node_get_string(text), &size);
    *ret_end = size == 0 || (end && json_node_get_boolean(end));
    return g_bytes_new_take(data, size);
}

/* --- The beginning --- */

static bool is_plain(const char *path)
{
    size_t length = strlen(path);

    return path[0] == '/' && length < DIRECTORY_BYTES && strstr(path, "/viommu-exec.") &&
           strspn(path, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/.-_") == length;
}

static bool make_directory(virDomainPtr domain, ViommuGuestCommand *command, GError **error)
{
    g_autofree char *script = g_strconcat("set -- make\n", viommu_guest_command, NULL), *output = NULL;

    if (!viommu_agent_run_script(domain, script, &output, error))
        return false;
    g_strchomp(output);
    if (!is_plain(output))
        return viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "the guest has no directory for the command's output: it needs mktemp and mkfifo, and must be able to write to /var/tmp, /tmp or /run");
    command->directory = g_steal_pointer(&output);
    return true;
}

/* In a session, and so in a process group, of its own. */
static bool run(virDomainPtr domain, ViommuGuestCommand *command, const char *const *argv, GError **error)
{
    JsonBuilder *arguments = begin_arguments();
    g_autofree char *text = NULL;

    add_text(arguments, "path", "setsid");
    json_builder_set_member_name(arguments, "arg");
    json_builder_begin_array(arguments);
    json_builder_add_string_value(arguments, "/bin/sh");
    json_builder_add_string_value(arguments, "-c");
    json_builder_add_string_value(arguments, viommu_guest_command);
    json_builder_add_string_value(arguments, "sh");
    json_builder_add_string_value(arguments, "run");
    json_builder_add_string_value(arguments, command->directory);
    for (; *argv; argv++)
        json_builder_add_string_value(arguments, *argv);
    json_builder_end_array(arguments);
    text = write_command("guest-exec", json_builder_end_object(arguments));
    return viommu_agent_exec(domain, text, &command->pid, error);
}

static bool open_files(virDomainPtr domain, ViommuGuestCommand *command, GError **error)
{
    for (size_t i = 0; i < VIOMMU_GUEST_FILES; i++) {
        g_autofree char *path = g_strconcat(command->directory, "/", files[i].name, NULL);

        if (!open_file(domain, path, files[i].mode, &command->files[i], error))
            return false;
        command->n_files++;
    }
    return true;
}

static bool start(virDomainPtr domain, void *data, GError **error)
{
    Work *work = data;

    return make_directory(domain, work->command, error) && open_files(domain, work->command, error) &&
           run(domain, work->command, work->argv, error);
}

/* --- A step --- */

static bool look(virDomainPtr domain, ViommuGuestCommand *command, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonBuilder *arguments = begin_arguments();
    JsonNode *answer, *exited, *code, *signal;

    add_number(arguments, "pid", command->pid);
    answer = ask(domain, "guest-exec-status", arguments, &parser, error);
    if (!answer)
        return false;
    if (!JSON_NODE_HOLDS_OBJECT(answer))
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "the guest agent sent an invalid reply");
    exited = viommu_agent_member(json_node_get_object(answer), "exited", G_TYPE_BOOLEAN);
    if (!exited || !json_node_get_boolean(exited))
        return true;
    code = viommu_agent_member(json_node_get_object(answer), "exitcode", G_TYPE_INT64);
    signal = viommu_agent_member(json_node_get_object(answer), "signal", G_TYPE_INT64);
    command->exited = true;
    command->status = code     ? (int)(json_node_get_int(code) & 0xff)
                      : signal ? SIGNAL_STATUS + (int)(json_node_get_int(signal) & 0x7f)
                               : 0xff;
    return true;
}

/* After a reply that was lost it is not known whether the agent did as it was told. */
static bool seek_all(virDomainPtr domain, ViommuGuestCommand *command, GError **error)
{
    for (size_t i = 0; command->is_lost && i < VIOMMU_GUEST_FILES; i++)
        if (!seek(domain, command->files[i], command->offsets[i], error))
            return false;
    command->is_lost = false;
    return true;
}

static bool give_input(virDomainPtr domain, ViommuGuestCommand *command, ViommuGuestStep *step,
                       GError **error)
{
    g_autofree char *path = g_strconcat(command->directory, "/whole", NULL);
    int64_t file;

    if (step->input) {
        if (!write_piece(domain, command->files[0], step->input, error))
            return false;
        command->offsets[0] += g_bytes_get_size(step->input);
        g_clear_pointer(&step->input, g_bytes_unref);
    }
    if (!step->input_ends)
        return true;
    if (!open_file(domain, path, "w", &file, error) || !tell_file(domain, "guest-file-close", file, error))
        return false;
    step->input_ends = false;
    return true;
}

static bool take_output(virDomainPtr domain, ViommuGuestCommand *command, ViommuGuestStep *step,
                        GError **error)
{
    for (size_t i = 0; i < VIOMMU_GUEST_OUTPUTS; i++) {
        if (!step->wants[i])
            continue;
        step->output[i] = read_piece(domain, command->files[i + 1], &step->ends[i], error);
        if (!step->output[i])
            return false;
        command->offsets[i + 1] += g_bytes_get_size(step->output[i]);
    }
    return true;
}

/* The status comes first: what is written after it is not the command's own. */
static bool make_step(virDomainPtr domain, void *data, GError **error)
{
    const Work *work = data;
    ViommuGuestCommand *command = work->command;
    bool good = seek_all(domain, command, error) &&
                (command->exited ||
                 (give_input(domain, command, work->step, error) && look(domain, command, error))) &&
                take_output(domain, command, work->step, error);

    command->is_lost |= !good;
    return good;
}

/* --- The end --- */

static bool end(virDomainPtr domain, void *data, GError **error)
{
    const Work *work = data;
    ViommuGuestCommand *command = work->command;
    g_autofree char *group = work->kills && command->pid > 1 && !command->exited
                                 ? g_strdup_printf("%" G_GINT64_FORMAT, (gint64)command->pid)
                                 : g_strdup("");
    g_autofree char *script =
        g_strdup_printf("set -- end %s %s\n%s", command->directory, group, viommu_guest_command);
    g_autofree char *output = NULL;

    if (!viommu_agent_run_script(domain, script, &output, error))
        return false;
    for (; command->n_files > 0; command->n_files--)
        (void)tell_file(domain, "guest-file-close", command->files[command->n_files - 1], NULL);
    return true;
}

static bool call(ViommuBackend *backend, const ViommuAgentCall *call, bool *ret_broke, GError **error)
{
    return viommu_agent_call(viommu_backend_agents(backend), call, ret_broke, error);
}

bool viommu_backend_start_in_guest(ViommuBackend *backend, const char *uuid, const char *const *argv,
                                   ViommuGuestCommand *command, bool *ret_broke, GError **error)
{
    Work work = {.command = command, .argv = argv};

    return call(backend, &(ViommuAgentCall){start, &work, uuid}, ret_broke, error);
}

bool viommu_backend_step_in_guest(ViommuBackend *backend, const char *uuid, ViommuGuestCommand *command,
                                  ViommuGuestStep *step, bool *ret_broke, GError **error)
{
    Work work = {.command = command, .step = step};

    return call(backend, &(ViommuAgentCall){make_step, &work, uuid}, ret_broke, error);
}

bool viommu_backend_end_in_guest(ViommuBackend *backend, const char *uuid, ViommuGuestCommand *command,
                                 bool kills, bool *ret_broke, GError **error)
{
    Work work = {.command = command, .kills = kills};

    return call(backend, &(ViommuAgentCall){end, &work, uuid}, ret_broke, error);
}
