/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tools/client/client.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <systemd/sd-bus.h>

#include "daemon/bus/variant.h"
#include "lib/base/error.h"
#include "lib/base/names.h"
#include "tools/client/error.h"
#include "tools/client/remote.h"

#define TICK_USEC            (200 * G_TIME_SPAN_MILLISECOND)
#define DEFAULT_TIMEOUT_USEC (25 * G_TIME_SPAN_SECOND)
#define START_USER           "start it with \"viommud --user &\""
#define START_SYSTEM         "start it with \"systemctl start viommud\""

#define OWNER_CHANGES \
    "type='signal',sender='org.freedesktop.DBus',member='NameOwnerChanged',arg0='" VIOMMU_BUS_NAME "'"

typedef sd_bus_message Message;
typedef sd_bus_slot Slot;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Message, sd_bus_message_unref)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Slot, sd_bus_slot_unref)

struct ViommuClient {
    sd_bus *bus;
    char *where;         /* "the session bus" */
    const char *started; /* how to start viommud there */
    bool is_system, is_remote;
};

void viommu_client_free(ViommuClient *client)
{
    if (!client)
        return;
    sd_bus_flush_close_unref(client->bus);
    g_free(client->where);
    g_free(client);
}

/* The words for each kind of bus. */
typedef struct Place {
    const char *where, *started, *hint;
} Place;
static const Place user_place = {"the session bus", START_USER, "; is $DBUS_SESSION_BUS_ADDRESS set?"};
static const Place system_place = {"the system bus", START_SYSTEM, ""};
static const Place remote_place = {"the system bus of", START_SYSTEM " there",
                                   "; see the messages of ssh above, and install systemd-stdio-bridge there"};

/* sd-bus fails with ENOMEDIUM if it knows no address of a bus, and viommu_remote_open() with EINVAL
 * if it cannot read the host. */
static const char *explain(int r)
{
    return r == -ENOMEDIUM ? "there is none"
           : r == -EINVAL  ? "a host is [USER@]HOST[:PORT], with an address of IPv6 in brackets"
                           : g_strerror(-r);
}

static ViommuClient *open_bus(bool user, const ViommuClientTarget *target, GError **error)
{
    g_autoptr(ViommuClient) client = g_new0(ViommuClient, 1);
    const Place *place = target->host ? &remote_place : user ? &user_place : &system_place;
    int r;

    client->where = g_strjoin(target->host ? " " : "", place->where, target->host ? target->host : "", NULL);
    client->started = place->started;
    client->is_system = place == &system_place;
    client->is_remote = place == &remote_place;
    if (target->host)
        r = viommu_remote_open(&client->bus, target->host);
    else
        r = user ? sd_bus_open_user(&client->bus) : sd_bus_open_system(&client->bus);
    if (r < 0) {
        viommu_failure_set(error, VIOMMU_FAILURE_UNAVAILABLE, "cannot connect to %s: %s%s", client->where,
                           explain(r), r == -EINVAL ? "" : place->hint);
        return NULL;
    }
    sd_bus_set_allow_interactive_authorization(client->bus, target->ask_password);
    return g_steal_pointer(&client);
}

bool viommu_client_is_system(const ViommuClient *client)
{
    return client->is_system;
}

static bool is_activatable(sd_bus *bus, const char *name)
{
    g_autoptr(Message) reply = NULL;
    g_auto(GStrv) names = NULL;
    char **list = NULL;
    bool found;

    if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "ListActivatableNames", NULL, &reply, NULL) < 0 ||
        sd_bus_message_read_strv(reply, &list) < 0)
        return false;
    names = list;
    found = names && g_strv_contains((const char *const *)names, name);
    return found;
}

static bool has_name(sd_bus *bus, const char *name)
{
    g_autoptr(Message) reply = NULL;
    int owned = 0;

    if (sd_bus_call_method(bus, "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                           "NameHasOwner", NULL, &reply, "s", name) >= 0 &&
        sd_bus_message_read(reply, "b", &owned) > 0 && owned)
        return true;
    return is_activatable(bus, name);
}

bool viommu_client_bus_has(ViommuClient *client, const char *name)
{
    return has_name(client->bus, name);
}

static ViommuClient *choose_bus(const ViommuClientTarget *target, GError **error)
{
    g_autoptr(ViommuClient) user = open_bus(true, target, NULL);
    g_autoptr(ViommuClient) system = NULL;

    if (user && has_name(user->bus, VIOMMU_BUS_NAME))
        return g_steal_pointer(&user);
    system = open_bus(false, target, NULL);
    if (system && has_name(system->bus, VIOMMU_BUS_NAME))
        return g_steal_pointer(&system);
    viommu_failure_set(error, VIOMMU_FAILURE_UNAVAILABLE,
                       "viommud runs neither on the session bus%s nor on the system bus%s; %s, or %s",
                       user ? "" : " (not reachable)", system ? "" : " (not reachable)", START_USER,
                       &START_SYSTEM[sizeof("start it ") - 1]);
    return NULL;
}

bool viommu_client_connect(const ViommuClientTarget *target, ViommuClient **ret_client, GError **error)
{
    bool choose = target->bus == VIOMMU_CLIENT_BUS_AUTO && !target->host;
    ViommuClient *client =
        choose ? choose_bus(target, error) : open_bus(target->bus == VIOMMU_CLIENT_BUS_USER, target, error);

    if (!client)
        return false;
    *ret_client = client;
    return true;
}

static Message *new_call(ViommuClient *client, const ViommuClientCall *call, GVariant *arguments,
                         GError **error)
{
    g_autoptr(Message) message = NULL;
    int r = sd_bus_message_new_method_call(client->bus, &message, VIOMMU_BUS_NAME, call->path,
                                           call->interface, call->method);

    for (gsize i = 0; r >= 0 && arguments && i < g_variant_n_children(arguments); i++) {
        g_autoptr(GVariant) argument = g_variant_get_child_value(arguments, i);

        r = viommu_bus_variant_append(message, argument);
    }
    if (r >= 0)
        return g_steal_pointer(&message);
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot write the call of %s: %s", call->method,
                g_strerror(-r));
    return NULL;
}

static int take_reply(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    *(sd_bus_message **)userdata = sd_bus_message_ref(message);
    return 0;
}

/* Calls asynchronously, to show progress meanwhile. */
static Message *wait_for_reply(ViommuClient *client, const ViommuClientCall *call, Message *message,
                               GError **error)
{
    uint64_t timeout = call->timeout_usec ? call->timeout_usec : DEFAULT_TIMEOUT_USEC;
    gint64 began = g_get_monotonic_time();
    g_autoptr(Slot) slot = NULL;
    sd_bus_message *reply = NULL;
    int r = sd_bus_call_async(client->bus, &slot, message, take_reply, &reply, timeout);

    while (r >= 0 && !reply) {
        r = sd_bus_process(client->bus, NULL);
        /* sd-bus tells of no work when all it did was to end a call that took too long. */
        if (r != 0 || reply)
            continue;
        if (call->tick)
            call->tick((uint64_t)(g_get_monotonic_time() - began), call->userdata);
        r = sd_bus_wait(client->bus, call->tick ? TICK_USEC : UINT64_MAX);
        if (r == -EINTR)
            r = 0;
    }
    if (!reply)
        viommu_failure_set(error, VIOMMU_FAILURE_UNAVAILABLE, "lost %s while waiting for viommud: %s",
                           client->where, g_strerror(-r));
    return reply;
}

/* The second argument of an error: a(sss) of model, rule, text. */
static GVariant *read_reasons(Message *reply)
{
    GVariantBuilder list;
    const char *model, *rule, *text;

    if (!sd_bus_message_has_signature(reply, "sa(sss)") || sd_bus_message_rewind(reply, true) < 0 ||
        sd_bus_message_skip(reply, "s") < 0 || sd_bus_message_enter_container(reply, 'a', "(sss)") < 0)
        return NULL;
    g_variant_builder_init(&list, G_VARIANT_TYPE("aa{sv}"));
    while (sd_bus_message_read(reply, "(sss)", &model, &rule, &text) > 0) {
        g_variant_builder_open(&list, G_VARIANT_TYPE_VARDICT);
        if (*model)
            g_variant_builder_add(&list, "{sv}", "model", g_variant_new_string(model));
        g_variant_builder_add(&list, "{sv}", "rule", g_variant_new_string(rule));
        g_variant_builder_add(&list, "{sv}", "text", g_variant_new_string(text));
        g_variant_builder_close(&list);
    }
    return g_variant_ref_sink(g_variant_builder_end(&list));
}

static void read_error(const ViommuClient *client, const char *method, Message *reply, GVariant **ret_reasons,
                       GError **error)
{
    const sd_bus_error *said = sd_bus_message_get_error(reply);
    GError *failure = viommu_failure_from_bus(said->name, said->message);
    GVariant *reasons = ret_reasons ? read_reasons(reply) : NULL;

    if (g_error_matches(failure, VIOMMU_FAILURE, VIOMMU_FAILURE_UNAVAILABLE)) {
        g_clear_error(&failure);
        viommu_failure_set(&failure, VIOMMU_FAILURE_UNAVAILABLE, "viommud does not run on %s (%s); %s",
                           client->where, said->message, client->started);
    } else if (g_error_matches(failure, VIOMMU_FAILURE, VIOMMU_FAILURE_TIMEOUT)) {
        g_clear_error(&failure);
        viommu_failure_set(&failure, VIOMMU_FAILURE_TIMEOUT,
                           "viommud on %s gave no answer to %s (%s); read viommud's log, and try again",
                           client->where, method, said->message);
    }
    if (reasons)
        *ret_reasons = reasons;
    g_propagate_error(error, failure);
}

/* The limits of bus/variant are for what clients send; a list of machines may be longer, so each
 * entry is limited instead. */
static GVariant *read_list(Message *reply, const char *contents, GError **error)
{
    g_autofree char *type = g_strconcat("a", contents, NULL);
    g_auto(GVariantBuilder) list = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE(type));
    int r = sd_bus_message_enter_container(reply, SD_BUS_TYPE_ARRAY, &type[1]);

    while (r >= 0 && (r = sd_bus_message_at_end(reply, false)) == 0) {
        g_autoptr(GVariant) entry = NULL;

        if (!viommu_bus_variant_read(reply, &entry, error))
            return NULL;
        g_variant_builder_add_value(&list, entry);
    }
    if (r >= 0)
        return g_variant_ref_sink(g_variant_builder_end(&list));
    viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot read the reply: %s", g_strerror(-r));
    return NULL;
}

static bool read_reply(Message *reply, GVariant **ret_reply, GError **error)
{
    const char *contents = NULL;
    char type = 0;
    GVariant *value = NULL;

    if (sd_bus_message_peek_type(reply, &type, &contents) <= 0) {
        *ret_reply = NULL;
        return true;
    }
    if (type == SD_BUS_TYPE_ARRAY && *contents != SD_BUS_TYPE_DICT_ENTRY_BEGIN)
        value = read_list(reply, contents, error);
    else if (!viommu_bus_variant_read(reply, &value, error))
        return false;
    if (value)
        *ret_reply = value;
    return value != NULL;
}

/* NULL: it failed, or the reply is an error. */
static Message *ask(ViommuClient *client, const ViommuClientCall *call, GVariant **ret_reasons,
                    GError **error)
{
    g_autoptr(GVariant) arguments = call->arguments ? g_variant_ref_sink(call->arguments) : NULL;
    g_autoptr(Message) message = new_call(client, call, arguments, error);
    g_autoptr(Message) reply = message ? wait_for_reply(client, call, message, error) : NULL;

    if (!reply || !sd_bus_message_is_method_error(reply, NULL))
        return g_steal_pointer(&reply);
    read_error(client, call->method, reply, ret_reasons, error);
    return NULL;
}

bool viommu_client_call_fd(ViommuClient *client, const ViommuClientCall *call, int *ret_fd, GError **error)
{
    g_autoptr(GVariant) arguments = call->arguments ? g_variant_ref_sink(call->arguments) : NULL;
    g_autoptr(Message) reply = NULL;
    int fd = -1, r;

    if (client->is_remote)
        return viommu_fail(error, VIOMMU_ERROR_NOT_SUPPORTED,
                           "%s replies with an open file, which ssh cannot bring; run viommuctl on that host",
                           call->method);
    reply = ask(client, call, NULL, error);
    if (!reply)
        return false;
    r = sd_bus_message_read(reply, "h", &fd);
    /* The message closes its own descriptor. */
    if (r > 0)
        fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (r <= 0 || fd < 0)
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "%s replied without a file descriptor",
                           call->method);
    *ret_fd = fd;
    return true;
}

bool viommu_client_call(ViommuClient *client, const ViommuClientCall *call, GVariant **ret_reply,
                        GVariant **ret_reasons, GError **error)
{
    g_autoptr(Message) reply = ask(client, call, ret_reasons, error);

    if (!reply)
        return false;
    if (!ret_reply || read_reply(reply, ret_reply, error))
        return true;
    g_prefix_error(error, "%s: ", call->method);
    return false;
}

bool viommu_client_takes_files(ViommuClient *client)
{
    return client->is_system && sd_bus_can_send(client->bus, SD_BUS_TYPE_UNIX_FD) > 0;
}

/* False: there is no such object.  @ret_text: owned; NULL when viommud does not reply. */
static bool read_text(ViommuClient *client, const char *path, const char *name, char **ret_text)
{
    sd_bus_error error = SD_BUS_ERROR_NULL;
    char *text = NULL;
    int r = sd_bus_get_property_string(client->bus, VIOMMU_BUS_NAME, path, VIOMMU_IFACE_MACHINE, name, &error,
                                       &text);
    bool has = r >= 0 || !sd_bus_error_has_name(&error, SD_BUS_ERROR_UNKNOWN_OBJECT);

    *ret_text = g_strdup(text);
    sd_bus_error_free(&error);
    free(text);
    return has;
}

bool viommu_client_has(ViommuClient *client, const char *path)
{
    g_autofree char *state = NULL;

    return read_text(client, path, "State", &state);
}

/* The word of the property State. */
#define PAUSED "paused"

struct ViommuClientWatch {
    ViommuClient *client;
    char *path;
    sd_bus_slot *removed, *changed;
    char *result;
    bool gone, paused;
};

static int on_removed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    ViommuClientWatch *watch = userdata;
    const char *path;

    if (sd_bus_message_read(message, "o", &path) > 0 && g_str_equal(path, watch->path))
        watch->gone = true;
    return 0;
}

static int on_changed(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    ViommuClientWatch *watch = userdata;
    g_autoptr(GVariant) interface = NULL, values = NULL;
    const char *result, *state;

    if (!viommu_bus_variant_read(message, &interface, NULL) ||
        !viommu_bus_variant_read(message, &values, NULL))
        return 0;
    if (g_variant_lookup(values, "Result", "&s", &result)) {
        g_free(watch->result);
        watch->result = g_strdup(result);
    }
    if (g_variant_lookup(values, "State", "&s", &state))
        watch->paused = g_str_equal(state, PAUSED);
    return 0;
}

void viommu_client_watch_free(ViommuClientWatch *watch)
{
    if (!watch)
        return;
    sd_bus_slot_unref(watch->removed);
    sd_bus_slot_unref(watch->changed);
    g_free(watch->path);
    g_free(watch->result);
    g_free(watch);
}

static bool lost(const ViommuClient *client, int r, GError **error)
{
    return viommu_failure_set(error, VIOMMU_FAILURE_UNAVAILABLE, "lost %s: %s", client->where,
                              g_strerror(-r));
}

ViommuClientWatch *viommu_client_watch(ViommuClient *client, const char *path, GError **error)
{
    g_autoptr(ViommuClientWatch) watch = g_new0(ViommuClientWatch, 1);
    g_autofree char *state = NULL;
    int r;

    watch->client = client;
    watch->path = g_strdup(path);
    watch->result = g_strdup("none");
    r = sd_bus_match_signal(client->bus, &watch->removed, VIOMMU_BUS_NAME, VIOMMU_BUS_PATH,
                            "org.freedesktop.DBus.ObjectManager", "InterfacesRemoved", on_removed, watch);
    if (r >= 0)
        r = sd_bus_match_signal(client->bus, &watch->changed, VIOMMU_BUS_NAME, path,
                                "org.freedesktop.DBus.Properties", "PropertiesChanged", on_changed, watch);
    if (r < 0)
        lost(client, r, error);
    else if (!read_text(client, path, "State", &state))
        watch->gone = true;
    else
        watch->paused = g_strcmp0(state, PAUSED) == 0;
    return r < 0 ? NULL : g_steal_pointer(&watch);
}

const char *viommu_client_watch_result(const ViommuClientWatch *watch)
{
    return watch->result;
}

bool viommu_client_watch_pause(ViommuClientWatch *watch, char **ret_reason)
{
    if (!watch->paused)
        return false;
    watch->paused = false;
    *ret_reason = NULL;
    (void)read_text(watch->client, watch->path, "PauseReason", ret_reason);
    return true;
}

/* Processes pending messages, then waits for more or until @fd is readable (*ret_readable). */
static int wait_for_more(sd_bus *bus, int fd, bool *ret_readable)
{
    struct pollfd fds[] = {{.fd = sd_bus_get_fd(bus), .events = (short)sd_bus_get_events(bus)},
                           {.fd = fd, .events = POLLIN}};
    int r = sd_bus_process(bus, NULL);

    if (r != 0)
        return r;
    r = poll(fds, G_N_ELEMENTS(fds), -1);
    if (r < 0)
        return errno == EINTR ? 0 : -errno;
    *ret_readable = fds[1].revents != 0;
    return 0;
}

bool viommu_client_watch_wait(ViommuClientWatch *watch, int fd, bool *ret_gone, GError **error)
{
    bool readable = false;
    int r = 0;

    while (r >= 0 && !watch->gone && !watch->paused && !readable)
        r = wait_for_more(watch->client->bus, fd, &readable);
    if (r < 0)
        return lost(watch->client, r, error);
    *ret_gone = watch->gone;
    return true;
}

struct ViommuClientSignals {
    ViommuClient *client;
    sd_bus_slot *viommud, *owner;
    GQueue queue; /* of ViommuClientSignal */
};

void viommu_client_signal_clear(ViommuClientSignal *signal)
{
    g_clear_pointer(&signal->path, g_free);
    g_clear_pointer(&signal->member, g_free);
    g_clear_pointer(&signal->arguments, g_variant_unref);
}

static void signal_free(void *data)
{
    viommu_client_signal_clear(data);
    g_free(data);
}

void viommu_client_signals_free(ViommuClientSignals *signals)
{
    if (!signals)
        return;
    sd_bus_slot_unref(signals->viommud);
    sd_bus_slot_unref(signals->owner);
    g_queue_clear_full(&signals->queue, signal_free);
    g_free(signals);
}

/* A signal that cannot be read is none of viommud's. */
static int on_signal(sd_bus_message *message, void *userdata, sd_bus_error *error)
{
    ViommuClientSignals *signals = userdata;
    g_auto(GVariantBuilder) arguments = G_VARIANT_BUILDER_INIT(G_VARIANT_TYPE_TUPLE);
    ViommuClientSignal *signal;

    while (sd_bus_message_at_end(message, true) == 0) {
        g_autoptr(GVariant) argument = NULL;

        if (!viommu_bus_variant_read(message, &argument, NULL))
            return 0;
        g_variant_builder_add_value(&arguments, argument);
    }
    signal = g_new0(ViommuClientSignal, 1);
    signal->path = g_strdup(sd_bus_message_get_path(message));
    signal->member = g_strdup(sd_bus_message_get_member(message));
    signal->arguments = g_variant_ref_sink(g_variant_builder_end(&arguments));
    g_queue_push_tail(&signals->queue, signal);
    return 0;
}

ViommuClientSignals *viommu_client_signals_new(ViommuClient *client, GError **error)
{
    g_autoptr(ViommuClientSignals) signals = g_new0(ViommuClientSignals, 1);
    int r;

    signals->client = client;
    g_queue_init(&signals->queue);
    r = sd_bus_match_signal(client->bus, &signals->viommud, VIOMMU_BUS_NAME, NULL, NULL, NULL, on_signal,
                            signals);
    if (r >= 0)
        r = sd_bus_add_match(client->bus, &signals->owner, OWNER_CHANGES, on_signal, signals);
    if (r < 0)
        lost(client, r, error);
    return r < 0 ? NULL : g_steal_pointer(&signals);
}

bool viommu_client_signals_next(ViommuClientSignals *signals, uint64_t timeout_usec,
                                ViommuClientSignal *ret_signal, GError **error)
{
    sd_bus *bus = signals->client->bus;
    ViommuClientSignal *signal;
    bool waited = false;
    int r = 0;

    while (r >= 0 && g_queue_is_empty(&signals->queue)) {
        r = sd_bus_process(bus, NULL);
        if (r != 0)
            continue;
        if (waited)
            return true;
        r = sd_bus_wait(bus, timeout_usec);
        waited = timeout_usec != UINT64_MAX;
        if (r == -EINTR)
            r = 0;
    }
    if (r < 0)
        return lost(signals->client, r, error);
    signal = g_queue_pop_head(&signals->queue);
    *ret_signal = *signal;
    g_free(signal);
    return true;
}
