/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl wait: waits until a machine is started, ready, verified or ended. */
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "tools/client/error.h"
#include "tools/ctl/machine.h"
#include "tools/ctl/progress.h"

VIOMMU_ENUM_DEFINE(goal, "goal", VIOMMU_CTL_GOAL_LAST, "started", "ready", "verified", "ended");

typedef struct Wait {
    ViommuCtl *ctl;
    ViommuClient *client;
    ViommuClientSignals *signals;
    char *path;
    char *result; /* as signalled last */
    bool gone;    /* the object is removed */
    gint64 until; /* of the monotonic clock; 0: no end */
    int goal;     /* ViommuCtlGoal */
    gint64 begin;
} Wait;

static void wait_clear(Wait *wait)
{
    g_clear_pointer(&wait->signals, viommu_client_signals_free);
    g_clear_pointer(&wait->client, viommu_client_free);
    g_free(wait->path);
    g_free(wait->result);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wait, wait_clear)

/* A launch that failed says why in Failure. */
static bool fail_ended(const Wait *wait, GVariant *properties, GError **error)
{
    const char *name = "", *text = "";

    if (properties)
        g_variant_lookup(properties, "Failure", "(&s&s)", &name, &text);
    if (*name)
        g_propagate_error(error, viommu_failure_from_bus(name, text));
    else
        viommu_fail(error, VIOMMU_ERROR_NOT_FOUND, "machine '%s' has ended: %s", wait->ctl->words[0],
                    wait->result);
    return false;
}

static void take_signal(Wait *wait, const ViommuClientSignal *signal)
{
    g_autoptr(GVariant) first = signal->member && g_variant_n_children(signal->arguments) > 0
                                    ? g_variant_get_child_value(signal->arguments, 0)
                                    : NULL;
    g_autoptr(GVariant) values = NULL;
    const char *result;

    if (!first)
        return;
    if (g_str_equal(signal->member, "InterfacesRemoved") &&
        g_variant_is_of_type(first, G_VARIANT_TYPE_OBJECT_PATH) &&
        g_str_equal(g_variant_get_string(first, NULL), wait->path))
        wait->gone = true;
    if (!g_str_equal(signal->member, "PropertiesChanged") || g_strcmp0(signal->path, wait->path) != 0 ||
        !g_variant_is_of_type(signal->arguments, G_VARIANT_TYPE("(sa{sv}as)")))
        return;
    values = g_variant_get_child_value(signal->arguments, 1);
    if (g_variant_lookup(values, "Result", "&s", &result)) {
        g_free(wait->result);
        wait->result = g_strdup(result);
    }
}

/* The machine is gone, and what was signalled of it before that is still to be read: its result. */
static bool hear_rest(Wait *wait, GError **error)
{
    while (!wait->gone) {
        g_auto(ViommuClientSignal) signal = {NULL};

        if (!viommu_client_signals_next(wait->signals, G_TIME_SPAN_SECOND, &signal, error))
            return false;
        if (!signal.member)
            return true;
        take_signal(wait, &signal);
    }
    return true;
}

/* *ret_there: nothing is left to wait for. */
static bool look(Wait *wait, bool *ret_there, GError **error)
{
    g_autoptr(GError) trouble = NULL;
    g_autoptr(GVariant) properties =
        wait->gone ? NULL : viommu_ctl_machine_properties(wait->ctl, wait->client, wait->path, &trouble);
    const char *state = "", *result = "none";
    bool ended;

    if (!properties && !wait->gone && viommu_client_has(wait->client, wait->path)) {
        g_propagate_error(error, g_steal_pointer(&trouble));
        return false;
    }
    if (!properties && !hear_rest(wait, error))
        return false;
    if (properties) {
        g_variant_lookup(properties, "State", "&s", &state);
        g_variant_lookup(properties, "Result", "&s", &result);
        g_free(wait->result);
        wait->result = g_strdup(result);
    }
    ended = !properties || g_str_equal(state, "stopped") || g_str_equal(state, "failed");
    *ret_there = ended;
    if (wait->goal == VIOMMU_CTL_GOAL_ENDED)
        return true;
    if (ended)
        return fail_ended(wait, properties, error);
    *ret_there = g_str_equal(state, "running") || g_str_equal(state, "paused");
    return true;
}

/* Until it runs or, if that is the goal, until it has ended. */
static bool wait_for_signals(Wait *wait, GError **error)
{
    g_auto(ViommuCtlProgress)
        progress = {.output = &wait->ctl->output, .client = wait->client, .path = g_strdup(wait->path)};
    g_autofree char *what = g_strdup_printf("waiting until %s is %s", wait->ctl->words[0],
                                            viommu_enum_to_string(&viommu_enum_goal, wait->goal));
    bool there = false;

    progress.what = what;
    while (look(wait, &there, error)) {
        g_auto(ViommuClientSignal) signal = {NULL};
        gint64 now = g_get_monotonic_time();

        if (there)
            return true;
        if (wait->until && now >= wait->until)
            return viommu_failure_set(error, VIOMMU_FAILURE_TIMEOUT,
                                      "machine '%s' is not %s within %s seconds", wait->ctl->words[0],
                                      viommu_enum_to_string(&viommu_enum_goal, wait->goal),
                                      wait->ctl->timeout);
        viommu_ctl_progress((uint64_t)(now - wait->begin), &progress);
        if (!viommu_client_signals_next(wait->signals, G_TIME_SPAN_SECOND, &signal, error))
            return false;
        take_signal(wait, &signal);
    }
    return false;
}

static bool begin(Wait *wait, GError **error)
{
    guint64 seconds = 0;

    if (!viommu_ctl_read_timeout(wait->ctl, &seconds, error))
        return false;
    wait->begin = g_get_monotonic_time();
    if (wait->ctl->timeout)
        wait->until = wait->begin + (gint64)seconds * G_TIME_SPAN_SECOND;
    wait->goal = wait->ctl->goal ? viommu_enum_from_string(&viommu_enum_goal, wait->ctl->goal)
                                 : VIOMMU_CTL_GOAL_STARTED;
    wait->result = g_strdup("none");
    wait->client = viommu_ctl_connect(wait->ctl, error);
    wait->signals = wait->client ? viommu_client_signals_new(wait->client, error) : NULL;
    wait->path = wait->signals ? viommu_ctl_find_machine(wait->ctl, wait->client, error) : NULL;
    return wait->path;
}

/* @seconds 0: as the site configured. */
static bool await_ready(ViommuCtl *ctl, GError **error)
{
    guint64 seconds = 0;
    ViommuClientCall call = {.method = "AwaitReady", .timeout_usec = VIOMMU_CTL_PROOF_USEC};

    if (!viommu_ctl_read_timeout(ctl, &seconds, error))
        return false;
    call.arguments = g_variant_new("(t)", seconds);
    return viommu_ctl_call_machine(ctl, call, "waiting for the agent of the guest", NULL, error);
}

bool viommu_ctl_wait(ViommuCtl *ctl, GError **error)
{
    g_auto(Wait) wait = {.ctl = ctl};

    if (!begin(&wait, error) || !wait_for_signals(&wait, error))
        return false;
    if (wait.goal == VIOMMU_CTL_GOAL_READY && !await_ready(ctl, error))
        return false;
    if (wait.goal == VIOMMU_CTL_GOAL_VERIFIED)
        return viommu_ctl_verify(ctl, error);
    if (ctl->output.json)
        viommu_output_json(g_variant_new_parsed("{'result': <%s>}", wait.result));
    else if (wait.goal == VIOMMU_CTL_GOAL_ENDED)
        viommu_output_format(&ctl->output, "%s\n", wait.result);
    return true;
}
