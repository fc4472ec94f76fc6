/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* guest-agent: what the calls through a guest's agent share.  No other room includes this.  All of
 * them block, and fail as viommu_backend_run_in_guest() does. */
#pragma once

#include <json-glib/json-glib.h>
#include "daemon/libvirt/internal.h"

/** Asks the agent of @domain, as often as needed. */
typedef bool (*ViommuAgentFunc)(virDomainPtr domain, void *data, GError **error);

typedef struct ViommuAgentCall {
    ViommuAgentFunc ask;
    void *data;
    const char *uuid;
} ViommuAgentCall;

/** Finds the domain and lets @call ask its agent.  *ret_broke is always written. */
bool viommu_agent_call(ViommuPool *pool, const ViommuAgentCall *call, bool *ret_broke, GError **error);
/** The agent's reply to @command, JSON text; *ret_parser owns it. */
JsonNode *viommu_agent_ask(virDomainPtr domain, const char *command, JsonParser **ret_parser, GError **error);
/** The same for a reply that must be an object. */
JsonObject *viommu_agent_ask_object(virDomainPtr domain, const char *command, JsonParser **ret_parser,
                                    GError **error);
/** A member of @object; NULL: there is none, or of another type, because the guest chose it. */
JsonNode *viommu_agent_member(JsonObject *object, const char *name, GType type);
/** Sends @command, a guest-exec. */
bool viommu_agent_exec(virDomainPtr domain, const char *command, int64_t *ret_pid, GError **error);
/** Runs @script with /bin/sh; *ret_output is owned, g_free(). */
bool viommu_agent_run_script(virDomainPtr domain, const char *script, char **ret_output, GError **error);
