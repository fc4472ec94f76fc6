/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/ctl/machine.h"

#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/machine/lifecycle.h"
#include "tools/client/polkit-agent.h"
#include "tools/ctl/progress.h"

ViommuClient *viommu_ctl_connect(const ViommuCtl *ctl, GError **error)
{
    ViommuClientTarget target = {VIOMMU_CLIENT_BUS_AUTO, ctl->host, !ctl->no_ask_password};
    ViommuClient *client = NULL;

    if (ctl->user)
        target.bus = VIOMMU_CLIENT_BUS_USER;
    else if (ctl->system)
        target.bus = VIOMMU_CLIENT_BUS_SYSTEM;
    return viommu_client_connect(&target, &client, error) ? client : NULL;
}

/* Only a program other than viommud replies with another type. */
static bool expect(GVariant *reply, const char *type, const char *method, GError **error)
{
    if (reply && g_variant_is_of_type(reply, G_VARIANT_TYPE(type)))
        return true;
    return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "%s replied '%s' instead of '%s'", method,
                       reply ? g_variant_get_type_string(reply) : "", type);
}

char *viommu_ctl_find_machine(ViommuCtl *ctl, ViommuClient *client, GError **error)
{
    const ViommuClientCall call = {.path = VIOMMU_BUS_PATH,
                                   .interface = VIOMMU_IFACE_MANAGER,
                                   .method = "GetMachine",
                                   .arguments = g_variant_new("(s)", ctl->words[0])};
    g_autoptr(GVariant) reply = NULL;

    if (!viommu_client_call(client, &call, &reply, &ctl->reasons, error) ||
        !expect(reply, "o", call.method, error))
        return NULL;
    return g_variant_dup_string(reply, NULL);
}

/* polkit cannot use an agent on another host, and never asks root. */
bool viommu_ctl_may_be_asked(const ViommuCtl *ctl, const ViommuClient *client)
{
    return viommu_client_is_system(client) && !ctl->no_ask_password && geteuid() != 0;
}

bool viommu_ctl_call_machine(ViommuCtl *ctl, ViommuClientCall call, const char *what, GVariant **ret_reply,
                             GError **error)
{
    g_autoptr(GVariant) arguments = call.arguments ? g_variant_ref_sink(call.arguments) : NULL;
    g_autoptr(ViommuClient) client = viommu_ctl_connect(ctl, error);
    g_autofree char *path = client ? viommu_ctl_find_machine(ctl, client, error) : NULL;
    g_autoptr(ViommuAgent) agent = path && viommu_ctl_may_be_asked(ctl, client) ? viommu_agent_start() : NULL;
    g_auto(ViommuCtlProgress) progress = {.output = &ctl->output, .what = what, .client = client};

    if (!path)
        return false;
    progress.path = g_strdup(path);
    call.arguments = arguments;
    call.path = path;
    call.interface = VIOMMU_IFACE_MACHINE;
    /* The agent needs the line of the terminal for its question. */
    call.tick = agent ? NULL : viommu_ctl_progress;
    call.userdata = &progress;
    return viommu_client_call(client, &call, ret_reply, &ctl->reasons, error);
}

GVariant *viommu_ctl_machine_properties(ViommuCtl *ctl, ViommuClient *client, const char *path,
                                        GError **error)
{
    const ViommuClientCall call = {.path = path,
                                   .interface = "org.freedesktop.DBus.Properties",
                                   .method = "GetAll",
                                   .arguments = g_variant_new("(s)", VIOMMU_IFACE_MACHINE)};
    g_autoptr(GVariant) reply = NULL;

    if (!viommu_client_call(client, &call, &reply, &ctl->reasons, error) ||
        !expect(reply, "a{sv}", call.method, error))
        return NULL;
    return g_steal_pointer(&reply);
}

GVariant *viommu_ctl_manager_property(ViommuClient *client, const char *name, const char *type,
                                      GError **error)
{
    const ViommuClientCall call = {.path = VIOMMU_BUS_PATH,
                                   .interface = "org.freedesktop.DBus.Properties",
                                   .method = "Get",
                                   .arguments = g_variant_new("(ss)", VIOMMU_IFACE_MANAGER, name)};
    g_autoptr(GVariant) reply = NULL;
    g_autoptr(GVariant) value = NULL;

    if (!viommu_client_call(client, &call, &reply, NULL, error) || !expect(reply, "v", call.method, error))
        return NULL;
    value = g_variant_get_variant(reply);
    return expect(value, type, name, error) ? g_steal_pointer(&value) : NULL;
}

ViommuStyle viommu_ctl_state_style(const char *state)
{
    int value = viommu_enum_from_string(&viommu_enum_state, state);

    if (g_str_equal(state, "foreign") || g_str_equal(state, "paused"))
        return VIOMMU_STYLE_WARNING;
    switch ((ViommuState)value) {
    case VIOMMU_STATE_RUNNING:
        return VIOMMU_STYLE_GOOD;
    case VIOMMU_STATE_FAILED:
        return VIOMMU_STYLE_BAD;
    case VIOMMU_STATE_PLANNING:
    case VIOMMU_STATE_DEFINING:
    case VIOMMU_STATE_STARTING:
    case VIOMMU_STATE_STOPPING:
        return VIOMMU_STYLE_WARNING;
    case VIOMMU_STATE_STOPPED:
    case VIOMMU_STATE_LAST:
        break;
    }
    return VIOMMU_STYLE_PLAIN;
}
