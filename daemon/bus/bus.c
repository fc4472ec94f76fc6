/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bus: connection, name, authorisation and later replies.  Does not know what the methods do. */
#include "daemon/bus/bus.h"

#include "daemon/bus/variant.h"

#include <errno.h>
#include "daemon/bus/arrivals.h"
#include "daemon/bus/errors.h"
#include "daemon/machines/journal-events.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "daemon/process/fd-room.h"
#include "daemon/process/held-files.h"
#include "lib/base/error.h"
#include "lib/base/names.h"

/* What the bus replies to who gets a name (DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER). */
#define NAME_IS_OURS 1u

static bool is_launch(sd_bus_message *call)
{
    return sd_bus_message_is_method_call(call, VIOMMU_IFACE_MANAGER, "Launch") > 0;
}

static void tell_refusal(ViommuBus *bus, sd_bus_message *call, const GError *error)
{
    uint32_t uid;

    if (!is_launch(call) || !viommu_auth_uid(bus->auth, call, &uid, NULL))
        return;
    if (g_error_matches(error, VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED))
        viommu_journal_outsider_refused(uid, error);
    else
        viommu_journal_not_launched(&(ViommuJournalSubject){.owner_uid = &uid}, error, NULL);
}

/* Calls of root, and calls that are judged again, do not wait. */
static bool is_its_turn(ViommuBus *bus, sd_bus_message *call)
{
    uint32_t uid;

    if (viommu_bus_turns_take_up(bus->turns, call) || viommu_auth_comes_again(bus->auth, call))
        return true;
    /* The gate refuses a call without a known sender. */
    if (!viommu_auth_uid(bus->auth, call, &uid, NULL) || viommu_auth_is_trusted(bus->auth, uid))
        return true;
    return viommu_bus_turns_admit(bus->turns, call, uid);
}

/* The gate: sees each call before viommud's methods and those of sd-bus. */
static int on_message(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GError) error = NULL;
    uint8_t type;

    if (sd_bus_message_get_type(call, &type) < 0 || type != SD_BUS_MESSAGE_METHOD_CALL)
        return 0;
    /* The sender wants no reply, so the call has no effect: drop it, however many come. */
    if (sd_bus_message_get_expect_reply(call) == 0 && viommu_auth_is_question(call))
        return 1;
    if (!is_its_turn(bus, call))
        return 1;
    switch (viommu_auth_check(bus->auth, call, viommu_bus_find_machine_for(bus, call), &error)) {
    case VIOMMU_AUTH_YES:
        return 0;
    case VIOMMU_AUTH_LATER:
        return 1;
    case VIOMMU_AUTH_NO:
    case VIOMMU_AUTH_LAST:
        break;
    }
    tell_refusal(bus, call, error);
    return viommu_bus_reply_error(call, error, NULL);
}

/* The calls that take descriptors. */
static const struct {
    const char *interface, *member;
} takers[] = {
    {VIOMMU_IFACE_MANAGER, "Launch"}, {VIOMMU_IFACE_MANAGER, "Plan"},         {VIOMMU_IFACE_MANAGER, "Check"},
    {VIOMMU_IFACE_MACHINE, "Exec"},   {VIOMMU_IFACE_MACHINE, "AttachDevice"},
};

static bool takes_descriptors(const ViommuMessageHeader *header)
{
    for (size_t i = 0; header->is_call && i < G_N_ELEMENTS(takers); i++)
        if (g_strcmp0(header->interface, takers[i].interface) == 0 &&
            g_strcmp0(header->member, takers[i].member) == 0)
            return true;
    return false;
}

/* The gate refuses a call without a known sender. */
static ViommuArrival judge_arrival(const ViommuMessageHeader *header, void *userdata, uint32_t *ret_uid,
                                   GError **error)
{
    ViommuBus *bus = userdata;

    if (!takes_descriptors(header) || !viommu_bus_peers_uid(bus->peers, header->sender, ret_uid))
        return VIOMMU_ARRIVAL_DROP;
    if (viommu_auth_is_trusted(bus->auth, *ret_uid) ||
        (viommu_held_check(*ret_uid, header->n_fds, error) && viommu_room_check(error)))
        return VIOMMU_ARRIVAL_TAKE;
    return VIOMMU_ARRIVAL_REFUSE;
}

static int attach(sd_bus *bus, ViommuLoop *loop)
{
    int r = sd_bus_attach_event(bus, viommu_loop_event(loop), SD_EVENT_PRIORITY_NORMAL);

    return r < 0 ? r : sd_bus_set_exit_on_disconnect(bus, true);
}

/* --- Calls of senders that the bus has not told about yet --- */

static int on_held(sd_event_source *source, void *userdata)
{
    ViommuBus *bus = userdata;

    return sd_bus_detach_event(bus->bus);
}

static void go_on(ViommuBus *bus)
{
    bus->held = sd_event_source_disable_unref(bus->held);
    viommu_arrivals_go_on();
    if (!sd_bus_get_event(bus->bus) && attach(bus->bus, bus->loop) < 0) {
        viommu_log(LOG_ERR, NULL, "Cannot read from the bus any more");
        viommu_loop_stop(bus->loop);
    }
}

/* Without an answer the call passes, too, and the gate refuses it. */
static void on_peer(const char *name, ViommuPeer peer, void *userdata)
{
    go_on(userdata);
}

/* Messages stay in the order in which they came: what is behind the call waits for the same answer
 * of the bus, through which all of it comes.  The loop would see bytes to read again and again, so
 * it does not look for them meanwhile. */
static bool knows_sender(const ViommuMessageHeader *header, void *userdata)
{
    ViommuBus *bus = userdata;

    if (bus->held)
        return false;
    if (header->sender[0] != ':' || viommu_bus_peers_find(bus->peers, header->sender) != VIOMMU_PEER_UNKNOWN)
        return true;
    if (sd_event_add_defer(viommu_loop_event(bus->loop), &bus->held, on_held, bus) < 0)
        return true;
    if (viommu_bus_peers_ask(bus->peers, header->sender, on_peer, bus) >= 0)
        return false;
    bus->held = sd_event_source_disable_unref(bus->held);
    return true;
}

/* Connects to the same bus; nobody can send file descriptors here. */
static int connect_asking(ViommuBus *bus)
{
    const char *address;
    int r = sd_bus_get_address(bus->bus, &address);

    if (r >= 0)
        r = sd_bus_new(&bus->asking);
    if (r >= 0)
        r = sd_bus_set_address(bus->asking, address);
    if (r >= 0)
        r = sd_bus_set_bus_client(bus->asking, true);
    if (r >= 0)
        r = sd_bus_negotiate_fds(bus->asking, false);
    return r < 0 ? r : sd_bus_start(bus->asking);
}

static int connect_bus(ViommuBus *bus, bool user)
{
    int r = user ? sd_bus_open_user(&bus->bus) : sd_bus_open_system(&bus->bus);

    if (r >= 0)
        r = attach(bus->bus, bus->loop);
    if (r >= 0)
        r = connect_asking(bus);
    return r < 0 ? r : attach(bus->asking, bus->loop);
}

static void on_peer_gone(const char *name, void *userdata)
{
    ViommuBus *bus = userdata;

    viommu_bus_clients_gone(bus->clients, name);
}

static void on_client_gone(const char *client, void *userdata)
{
    ViommuBus *bus = userdata;

    viommu_manager_client_gone(bus->manager, client);
    viommu_manager_caller_gone(bus->manager, client);
}

static int add_objects(ViommuBus *bus)
{
    int r = sd_bus_add_filter(bus->bus, NULL, on_message, bus);

    if (r >= 0)
        r = sd_bus_add_object_manager(bus->bus, NULL, VIOMMU_BUS_PATH);
    if (r >= 0)
        r = viommu_bus_turns_new(bus->bus, &bus->turns);
    bus->slices = viommu_bus_slices_new(bus);
    if (r >= 0)
        r = viommu_bus_add_manager(bus);
    if (r >= 0)
        r = viommu_bus_add_machines(bus);
    if (r >= 0)
        r = viommu_bus_add_log(bus);
    return r;
}

bool viommu_bus_new(const ViommuBusContext *context, ViommuBus **ret_bus, GError **error)
{
    g_autoptr(ViommuBus) bus = g_new0(ViommuBus, 1);
    bool user = !context->group;
    ViommuAuthContext auth;
    int r;

    bus->manager = context->manager;
    bus->is_system = !user;
    bus->waiting = g_hash_table_new(NULL, NULL);
    bus->loop = context->loop;
    r = connect_bus(bus, user);
    if (r < 0) {
        return viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot connect to the %s bus: %s%s",
                           user ? "user's" : "system", g_strerror(-r),
                           user ? "; is DBUS_SESSION_BUS_ADDRESS or XDG_RUNTIME_DIR set?" : "");
    }
    r = viommu_bus_peers_new(bus->asking, on_peer_gone, bus, &bus->peers);
    auth = (ViommuAuthContext){context->loop, context->accounts, bus->peers, context->group};
    bus->auth = viommu_auth_new(&auth);
    bus->clients = viommu_bus_clients_new(bus->asking, bus->peers, on_client_gone, bus);
    if (r >= 0)
        r = viommu_arrivals_open(bus->bus, &(ViommuArrivalFuncs){knows_sender, judge_arrival}, bus);
    if (r >= 0)
        r = add_objects(bus);
    if (r < 0) {
        return viommu_fail(error, VIOMMU_ERROR_INTERNAL, "cannot put the objects on the bus: %s",
                           g_strerror(-r));
    }
    *ret_bus = g_steal_pointer(&bus);
    return true;
}

void viommu_bus_free(ViommuBus *bus)
{
    if (!bus)
        return;
    viommu_registry_watch(viommu_manager_registry(bus->manager), NULL, NULL);
    viommu_hostinfo_watch(viommu_manager_hostinfo(bus->manager), NULL, NULL);
    viommu_manager_watch_connection(bus->manager, NULL, NULL);
    viommu_auth_free(bus->auth);
    sd_event_source_disable_unref(bus->held);
    viommu_bus_peers_free(bus->peers);
    viommu_bus_clients_free(bus->clients);
    sd_bus_close_unref(bus->asking);
    viommu_bus_slices_close(bus->slices);
    viommu_bus_turns_close(bus->turns);
    viommu_bus_slices_unref(bus->slices);
    viommu_bus_turns_unref(bus->turns);
    sd_bus_flush_close_unref(bus->bus);
    viommu_arrivals_close();
    g_hash_table_unref(bus->waiting);
    g_free(bus);
}

/* --- The name --- */

static void fail_name(const sd_bus_error *from_bus, GError **error)
{
    viommu_fail(error, VIOMMU_ERROR_BACKEND, "cannot take the name %s: %s", VIOMMU_BUS_NAME,
                from_bus->message ? from_bus->message : from_bus->name);
}

static int on_name(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    const sd_bus_error *from_bus = sd_bus_message_get_error(answer);
    g_autoptr(GError) error = NULL;
    uint32_t verdict = 0;

    if (from_bus)
        fail_name(from_bus, &error);
    else if (sd_bus_message_read(answer, "u", &verdict) <= 0 || verdict != NAME_IS_OURS)
        viommu_fail(&error, VIOMMU_ERROR_EXISTS, "the bus name %s is taken: another viommud runs on this bus",
                    VIOMMU_BUS_NAME);
    bus->named(error, bus->named_userdata);
    return 1;
}

void viommu_bus_take_name(ViommuBus *bus, ViommuBusNamedFunc func, void *userdata)
{
    g_autoptr(GError) error = NULL;
    int r;

    bus->named = func;
    bus->named_userdata = userdata;
    r = sd_bus_request_name_async(bus->bus, NULL, VIOMMU_BUS_NAME, 0, on_name, bus);
    if (r >= 0)
        return;
    viommu_fail(&error, VIOMMU_ERROR_BACKEND, "cannot take the name %s: %s", VIOMMU_BUS_NAME, g_strerror(-r));
    func(error, userdata);
}

char *viommu_bus_machine_path(const ViommuMachine *machine)
{
    char *path = g_strconcat(VIOMMU_MACHINE_PREFIX "/", machine->uuid, NULL);

    return g_strdelimit(path, "-", '_');
}

typedef struct Later {
    sd_bus_message *call;
    ViommuBusFillFunc fill;
    ViommuBusStartFunc start; /* NULL: the reply is filled at once */
    ViommuBusSlices *slices;
    /* A reply may be sent after the bus is gone. */
    ViommuBusTurns *turns;
    GHashTable *waiting; /* the table that counts it */
    uint32_t uid;
    bool is_trusted;
} Later;

void viommu_bus_count_waiting(GHashTable *waiting, uint32_t uid, int change)
{
    int n = GPOINTER_TO_INT(g_hash_table_lookup(waiting, GUINT_TO_POINTER(uid))) + change;

    if (n > 0)
        g_hash_table_insert(waiting, GUINT_TO_POINTER(uid), GINT_TO_POINTER(n));
    else
        g_hash_table_remove(waiting, GUINT_TO_POINTER(uid));
}

static int make_reply(const Later *later, const ViommuOutcome *outcome, sd_bus_message **ret_reply)
{
    sd_bus_message *reply = NULL;
    int r;

    if (outcome->error)
        return viommu_bus_new_error(later->call, outcome->error, outcome->reasons, ret_reply);
    r = sd_bus_message_new_method_return(later->call, &reply);
    if (r >= 0)
        r = later->fill(reply, outcome);
    if (r < 0)
        sd_bus_message_unref(reply);
    else
        *ret_reply = reply;
    return r;
}

static void send_answer(const Later *later, const ViommuOutcome *outcome)
{
    sd_bus_message *reply = NULL;
    int r = make_reply(later, outcome, &reply);

    if (r >= 0)
        r = later->is_trusted ? sd_bus_send(sd_bus_message_get_bus(reply), reply, NULL)
                              : viommu_bus_turns_send(later->turns, reply, later->uid, NULL, NULL);
    if (r < 0 && viommu_journal_may_tell(later->uid))
        viommu_log(LOG_WARNING, NULL, "Cannot reply to %s: %s", sd_bus_message_get_member(later->call),
                   g_strerror(-r));
    sd_bus_message_unref(reply);
}

static void answer(const ViommuOutcome *outcome, void *userdata)
{
    Later *later = userdata;
    ViommuBus *bus = viommu_bus_slices_bus(later->slices);

    viommu_bus_count_waiting(later->waiting, later->uid, is_launch(later->call) ? 0 : -1);
    if (outcome->error || !later->start)
        send_answer(later, outcome);
    else if (bus)
        later->start(bus, later->call, outcome);
    viommu_bus_slices_unref(later->slices);
    viommu_bus_turns_unref(later->turns);
    g_hash_table_unref(later->waiting);
    sd_bus_message_unref(later->call);
    g_free(later);
}

/* The site limits launches separately. */
bool viommu_bus_may_wait(ViommuBus *bus, sd_bus_message *call, uint32_t uid, GError **error)
{
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(bus->waiting, GUINT_TO_POINTER(uid)));

    if (viommu_auth_is_trusted(bus->auth, uid))
        return true;
    if (n < VIOMMU_BUS_WAITING_MAX_PER_USER || is_launch(call))
        return viommu_room_check(error);
    return viommu_fail(error, VIOMMU_ERROR_BUSY,
                       "%u calls of user %u already wait for a reply; try again later", n, uid);
}

static bool reply_later(ViommuBus *bus, sd_bus_message *call, ViommuBusFillFunc fill,
                        ViommuBusStartFunc start, ViommuWaiter *ret_waiter)
{
    g_autoptr(GError) error = NULL;
    uint32_t uid;
    Later *later;

    if (!viommu_auth_uid(bus->auth, call, &uid, &error) || !viommu_bus_may_wait(bus, call, uid, &error)) {
        (void)viommu_bus_reply_error(call, error, NULL);
        return false;
    }
    later = g_new(Later, 1);
    *later = (Later){.call = sd_bus_message_ref(call),
                     .fill = fill,
                     .start = start,
                     .slices = viommu_bus_slices_ref(bus->slices),
                     .turns = viommu_bus_turns_ref(bus->turns),
                     .waiting = g_hash_table_ref(bus->waiting),
                     .uid = uid,
                     .is_trusted = viommu_auth_is_trusted(bus->auth, uid)};
    viommu_bus_count_waiting(later->waiting, uid, is_launch(call) ? 0 : 1);
    *ret_waiter = (ViommuWaiter){answer, later};
    return true;
}

bool viommu_bus_reply_later(ViommuBus *bus, sd_bus_message *call, ViommuBusFillFunc fill,
                            ViommuWaiter *ret_waiter)
{
    return reply_later(bus, call, fill, NULL, ret_waiter);
}

bool viommu_bus_reply_by_slices(ViommuBus *bus, sd_bus_message *call, ViommuBusStartFunc start,
                                ViommuWaiter *ret_waiter)
{
    return reply_later(bus, call, NULL, start, ret_waiter);
}

int viommu_bus_fill_report(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    return viommu_bus_variant_append(reply, outcome->report);
}

int viommu_bus_fill_nothing(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    return 0;
}
