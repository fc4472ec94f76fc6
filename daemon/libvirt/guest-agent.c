/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-agent: asks a guest's QEMU guest agent whether it answers, and runs a script through it.  A
 * guest can delay each answer, so these calls have connections of their own.  Does not know the
 * purpose of the script. */
#include "daemon/libvirt/guest-agent.h"

#include <libvirt/libvirt-qemu.h>
#include <string.h>

#include "lib/base/json-depth.h"

/* A running agent answers within milliseconds; under emulation within a second. */
#define ANSWER_SEC 5
/* How long the script may run, and how often the agent is asked whether it has ended. */
#define SCRIPT_USEC (20 * G_USEC_PER_SEC)
#define LOOK_USEC   (200 * 1000)
/* Replies of an honest agent are flat.  Its report has 16 KiB, and a piece of a file 64 KiB in
 * base64.  The parser recurses at each level. */
#define REPLY_BYTES 70000
#define REPLY_DEPTH 8

typedef struct Question {
    ViommuAgentFunc ask;
    void *data; /* of @ask */
    const char *uuid;
    bool broke; /* the connection broke after the agent was asked */
} Question;

/* What run_script() gets. */
typedef struct Script {
    const char *text;
    char *output;
} Script;

/* The agent's own error message when the guest's administrator has forbidden the command, as RHEL
 * does by default. */
static bool is_forbidden(const char *words)
{
    return strstr(words, "has been disabled") || strstr(words, "has not been found") ||
           strstr(words, "CommandNotFound");
}

static bool fail(GError **error)
{
    virErrorPtr last = virGetLastError();
    const char *words = last && last->message ? last->message : "libvirt gave no reason";
    int code = last ? last->code : VIR_ERR_INTERNAL_ERROR;

    if (is_forbidden(words))
        viommu_fail(
            error, VIOMMU_ERROR_NOT_SUPPORTED,
            "the guest's agent may not do what viommud asks: allow guest-ping, guest-exec and guest-exec-status, and guest-file-* for viommuctl exec, in its configuration (/etc/sysconfig/qemu-ga or /etc/qemu/qemu-ga.conf)");
    else if (code == VIR_ERR_ARGUMENT_UNSUPPORTED || code == VIR_ERR_NO_SUPPORT ||
             code == VIR_ERR_CONFIG_UNSUPPORTED)
        viommu_fail(
            error, VIOMMU_ERROR_NOT_FOUND,
            "the machine has no guest agent channel (request it with guest.agent, where [verify] agent of viommud.conf allows it)");
    else if (code == VIR_ERR_AGENT_UNRESPONSIVE || code == VIR_ERR_AGENT_UNSYNCED ||
             code == VIR_ERR_OPERATION_TIMEOUT)
        viommu_fail(error, VIOMMU_ERROR_BUSY,
                    "no agent replies in the guest (install the package qemu-guest-agent there)");
    else
        return viommu_libvirt_fail(error, "cannot ask the guest agent");
    return false;
}

static bool read_reply(JsonParser *parser, const char *reply)
{
    size_t size = strnlen(reply, REPLY_BYTES + 1);

    return size <= REPLY_BYTES && viommu_nesting_is_within(reply, size, REPLY_DEPTH) &&
           json_parser_load_from_data(parser, reply, (gssize)size, NULL);
}

JsonNode *viommu_agent_ask(virDomainPtr domain, const char *command, JsonParser **ret_parser, GError **error)
{
    g_autoptr(JsonParser) parser = json_parser_new();
    char *reply = virDomainQemuAgentCommand(domain, command, ANSWER_SEC, 0);
    JsonNode *root, *inner = NULL;
    bool read;

    if (!reply) {
        fail(error);
        return NULL;
    }
    read = read_reply(parser, reply);
    free(reply);
    root = read ? json_parser_get_root(parser) : NULL;
    if (root && JSON_NODE_HOLDS_OBJECT(root))
        inner = json_object_get_member(json_node_get_object(root), "return");
    if (!inner) {
        viommu_fail(error, VIOMMU_ERROR_BACKEND, "the guest agent sent an invalid reply");
        return NULL;
    }
    *ret_parser = g_steal_pointer(&parser);
    return inner;
}

JsonObject *viommu_agent_ask_object(virDomainPtr domain, const char *command, JsonParser **ret_parser,
                                    GError **error)
{
    JsonNode *answer = viommu_agent_ask(domain, command, ret_parser, error);

    if (!answer || JSON_NODE_HOLDS_OBJECT(answer))
        return answer ? json_node_get_object(answer) : NULL;
    viommu_fail(error, VIOMMU_ERROR_BACKEND, "the guest agent sent an invalid reply");
    return NULL;
}

JsonNode *viommu_agent_member(JsonObject *object, const char *name, GType type)
{
    JsonNode *node = json_object_get_member(object, name);

    return node && JSON_NODE_HOLDS_VALUE(node) && json_node_get_value_type(node) == type ? node : NULL;
}

bool viommu_agent_exec(virDomainPtr domain, const char *command, int64_t *ret_pid, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;
    JsonObject *answer = viommu_agent_ask_object(domain, command, &parser, error);
    JsonNode *pid = answer ? viommu_agent_member(answer, "pid", G_TYPE_INT64) : NULL;

    if (pid)
        *ret_pid = json_node_get_int(pid);
    else if (answer)
        viommu_fail(error, VIOMMU_ERROR_BACKEND, "the guest agent did not start the command");
    return pid != NULL;
}

static bool start_script(virDomainPtr domain, const char *script, int64_t *ret_pid, GError **error)
{
    g_autofree char *input = g_base64_encode((const guchar *)script, strlen(script));
    g_autofree char *command = g_strdup_printf(
        "{\"execute\": \"guest-exec\", \"arguments\": {\"path\": \"/bin/sh\", \"input-data\": \"%s\", \"capture-output\": true}}",
        input);

    return viommu_agent_exec(domain, command, ret_pid, error);
}

/* *ret_output: NULL while the script runs. */
static bool look_at_script(virDomainPtr domain, int64_t pid, char **ret_output, GError **error)
{
    g_autofree char *command = g_strdup_printf(
        "{\"execute\": \"guest-exec-status\", \"arguments\": {\"pid\": %" G_GINT64_FORMAT "}}", (gint64)pid);
    g_autoptr(JsonParser) parser = NULL;
    JsonObject *answer = viommu_agent_ask_object(domain, command, &parser, error);
    JsonNode *exited, *output;
    gsize size;

    if (!answer)
        return false;
    exited = viommu_agent_member(answer, "exited", G_TYPE_BOOLEAN);
    if (!exited || !json_node_get_boolean(exited))
        return true;
    output = viommu_agent_member(answer, "out-data", G_TYPE_STRING);
    if (!output)
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "/bin/sh in the guest printed nothing");
    /* The decoder ends it with a zero. */
    *ret_output = (char *)g_base64_decode(json_node_get_string(output), &size);
    return true;
}

static bool ping(virDomainPtr domain, void *unused, GError **error)
{
    g_autoptr(JsonParser) parser = NULL;

    return viommu_agent_ask(domain, "{\"execute\": \"guest-ping\"}", &parser, error) != NULL;
}

bool viommu_agent_run_script(virDomainPtr domain, const char *script, char **ret_output, GError **error)
{
    gint64 end = g_get_monotonic_time() + SCRIPT_USEC;
    int64_t pid;
    char *output = NULL;
    bool good = start_script(domain, script, &pid, error);

    while (good && (good = look_at_script(domain, pid, &output, error)) && !output) {
        good = g_get_monotonic_time() < end;
        if (good)
            g_usleep(LOOK_USEC);
        else
            viommu_fail(error, VIOMMU_ERROR_BUSY, "/bin/sh in the guest did not end in time");
    }
    if (good)
        *ret_output = output;
    return good;
}

static bool run_script(virDomainPtr domain, void *data, GError **error)
{
    Script *script = data;

    return viommu_agent_run_script(domain, script->text, &script->output, error);
}

static bool ask_guest(virConnectPtr connection, void *data, GError **error)
{
    Question *question = data;
    virDomainPtr domain = virDomainLookupByUUIDString(connection, question->uuid);
    bool good;

    if (!domain)
        return viommu_libvirt_fail(error, "cannot find domain '%s'", question->uuid);
    good = question->ask(domain, question->data, error);
    virDomainFree(domain);
    /* Checked between two commands, too, because the agent may reply anything at any time. */
    question->broke = !good && virConnectIsAlive(connection) != 1;
    return good;
}

bool viommu_agent_call(ViommuPool *pool, const ViommuAgentCall *call, bool *ret_broke, GError **error)
{
    Question question = {.ask = call->ask, .data = call->data, .uuid = call->uuid};
    bool good;

    *ret_broke = false;
    /* A connection to the test driver may have domains of its own, and has no agents. */
    if (g_str_has_prefix(viommu_pool_uri(pool), "test"))
        return viommu_fail(error, VIOMMU_ERROR_NOT_FOUND, "libvirt's test driver has no guest agents");
    good = viommu_pool_call(pool, ask_guest, &question, false, error);
    *ret_broke = question.broke;
    return good;
}

char *viommu_backend_run_in_guest(ViommuBackend *backend, const char *uuid, const char *script,
                                  bool *ret_broke, GError **error)
{
    Script run = {.text = script};
    const ViommuAgentCall call = {run_script, &run, uuid};

    return viommu_agent_call(viommu_backend_agents(backend), &call, ret_broke, error) ? run.output : NULL;
}

bool viommu_backend_ping_guest(ViommuBackend *backend, const char *uuid, bool *ret_broke, GError **error)
{
    const ViommuAgentCall call = {ping, NULL, uuid};

    return viommu_agent_call(viommu_backend_agents(backend), &call, ret_broke, error);
}
