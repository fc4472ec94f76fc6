/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* auth: the table of members, and the policy of auth.h for it.  Does not know what the members
 * do. */
#include "daemon/bus/auth.h"

#include <unistd.h>
#include "daemon/bus/device-permission.h"
#include "daemon/bus/polkit.h"
#include "daemon/bus/polkit-share.h"
#include "daemon/bus/errors.h"
#include "daemon/bus/membership.h"
#include "daemon/machines/properties.h"
#include "daemon/process/fd-room.h"
#include "lib/base/error.h"
#include "lib/base/names.h"

/* Each waiting call keeps its message, and the files that came with it. */
#define INQUIRIES_MAX_PER_USER 1024

#define DBUS(interface) "org.freedesktop.DBus." interface

static const struct {
    const char *interface, *member;
    ViommuAction action;
} members[] = {
    {DBUS("Peer"), "Ping", VIOMMU_ACTION_READ},
    {DBUS("Peer"), "GetMachineId", VIOMMU_ACTION_READ},
    {DBUS("Introspectable"), "Introspect", VIOMMU_ACTION_READ},
    {DBUS("ObjectManager"), "GetManagedObjects", VIOMMU_ACTION_READ},
    {DBUS("Properties"), "Get", VIOMMU_ACTION_SHOW},
    {DBUS("Properties"), "GetAll", VIOMMU_ACTION_SHOW},
    {DBUS("Properties"), "Set", VIOMMU_ACTION_TUNE},
    {VIOMMU_IFACE_MANAGER, "Plan", VIOMMU_ACTION_PLAN},
    {VIOMMU_IFACE_MANAGER, "Check", VIOMMU_ACTION_PLAN},
    {VIOMMU_IFACE_MANAGER, "GetMachine", VIOMMU_ACTION_READ},
    {VIOMMU_IFACE_MANAGER, "ListMachines", VIOMMU_ACTION_READ},
    {VIOMMU_IFACE_MANAGER, "GetUsage", VIOMMU_ACTION_READ},
    {VIOMMU_IFACE_MANAGER, "OpenConsoleLog", VIOMMU_ACTION_READ},
    {VIOMMU_IFACE_MANAGER, "Launch", VIOMMU_ACTION_LAUNCH},
    {VIOMMU_IFACE_MACHINE, "AttachDevice", VIOMMU_ACTION_EQUIP},
    {VIOMMU_IFACE_MACHINE, "DetachDevice", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "GetDomainXML", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Stop", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Kill", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Reset", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Suspend", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Resume", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Extend", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "OpenConsole", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Verify", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "AwaitReady", VIOMMU_ACTION_MANAGE},
    {VIOMMU_IFACE_MACHINE, "Exec", VIOMMU_ACTION_MANAGE},
};

struct ViommuAuth {
    const ViommuBusPeers *peers;
    char *group; /* NULL: a user's own bus */
    uid_t own_uid;
    GHashTable *questions; /* call -> Question, which references the call */
    ViommuAuthDevices *devices;
    ViommuMembership *membership;
    GHashTable *inquiries; /* call -> Inquiry, which references the call */
    /* the call that was judged last, if its sender is a member; NULL: not a member, or not looked
     * up */
    const sd_bus_message *members;
    GHashTable *inquirers; /* uid -> number of that user's inquiries; a missing entry means 0 */
};

/* A call that waits for the user database. */
typedef struct Inquiry {
    ViommuAuth *auth;
    sd_bus_message *call;
    uid_t uid;
    ViommuMember answer;
    bool answered;
} Inquiry;

/* A call that waits for polkit. */
typedef struct Question {
    ViommuAuth *auth;
    sd_bus_message *call;
    sd_bus_slot *slot;
    char *name; /* of the machine */
    uid_t uid;
    uint32_t owner_uid; /* of the machine, at the time of the question */
    bool granted;
} Question;

static void free_question(void *data)
{
    Question *question = data;

    sd_bus_slot_unref(question->slot);
    sd_bus_message_unref(question->call);
    g_free(question->name);
    g_free(question);
}

static void free_inquiry(void *data)
{
    Inquiry *inquiry = data;
    void *uid = GUINT_TO_POINTER(inquiry->uid);
    unsigned n = GPOINTER_TO_UINT(g_hash_table_lookup(inquiry->auth->inquirers, uid));

    if (n > 1)
        g_hash_table_insert(inquiry->auth->inquirers, uid, GUINT_TO_POINTER(n - 1));
    else
        g_hash_table_remove(inquiry->auth->inquirers, uid);
    sd_bus_message_unref(inquiry->call);
    g_free(inquiry);
}

ViommuAuth *viommu_auth_new(const ViommuAuthContext *context)
{
    ViommuAuth *auth = g_new0(ViommuAuth, 1);

    auth->peers = context->peers;
    auth->group = g_strdup(context->group);
    if (context->group)
        auth->membership = viommu_membership_new(context->loop, context->accounts, context->group);
    auth->inquirers = g_hash_table_new(NULL, NULL);
    auth->inquiries = g_hash_table_new_full(NULL, NULL, NULL, free_inquiry);
    auth->devices = viommu_auth_devices_new(context->loop, context->accounts);
    auth->own_uid = geteuid();
    auth->questions = g_hash_table_new_full(NULL, NULL, NULL, free_question);
    return auth;
}

void viommu_auth_free(ViommuAuth *auth)
{
    if (!auth)
        return;
    viommu_auth_devices_free(auth->devices);
    viommu_membership_free(auth->membership);
    g_hash_table_unref(auth->inquiries);
    g_hash_table_unref(auth->inquirers);
    g_hash_table_unref(auth->questions);
    g_free(auth->group);
    g_free(auth);
}

G_GNUC_PRINTF(2, 3) static ViommuAuthAnswer refuse(GError **error, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    g_propagate_error(error,
                      g_error_new_valist(VIOMMU_ERROR, VIOMMU_ERROR_POLICY_REFUSED, format, arguments));
    va_end(arguments);
    return VIOMMU_AUTH_NO;
}

/* --- The caller --- */

static bool find_caller(ViommuAuth *auth, sd_bus_message *call, uint32_t *ret_uid, GError **error)
{
    if (viommu_bus_peers_uid(auth->peers, sd_bus_message_get_sender(call), ret_uid))
        return true;
    refuse(error, "the bus does not identify the caller");
    return false;
}

/* --- The group --- */

/* Judges the call again, with what is known by now. */
int viommu_auth_take_up(sd_bus_message *call)
{
    int r = sd_bus_message_rewind(call, true);

    return r < 0 ? r : sd_bus_enqueue_for_read(sd_bus_message_get_bus(call), call);
}

static void on_member(ViommuMember answer, void *userdata)
{
    Inquiry *inquiry = userdata;
    g_autoptr(GError) error = NULL;
    int r = viommu_auth_take_up(inquiry->call);

    inquiry->answer = answer;
    inquiry->answered = true;
    if (r >= 0)
        return;
    refuse(&error, "viommud cannot resume the call: %s", g_strerror(-r));
    (void)viommu_bus_reply_error(inquiry->call, error, NULL);
    g_hash_table_remove(inquiry->auth->inquiries, inquiry->call);
}

static unsigned count_inquiries(const ViommuAuth *auth, uid_t uid)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(auth->inquirers, GUINT_TO_POINTER(uid)));
}

static ViommuAuthAnswer inquire(ViommuAuth *auth, sd_bus_message *call, uid_t uid, GError **error)
{
    unsigned n = count_inquiries(auth, uid);
    Inquiry *inquiry;

    if (n >= INQUIRIES_MAX_PER_USER) {
        viommu_fail(error, VIOMMU_ERROR_BUSY,
                    "%u calls of user %u already wait for the system's user database; try again later", n,
                    uid);
        return VIOMMU_AUTH_NO;
    }
    if (!viommu_room_check(error))
        return VIOMMU_AUTH_NO;
    inquiry = g_new0(Inquiry, 1);
    *inquiry = (Inquiry){.auth = auth, .call = sd_bus_message_ref(call), .uid = uid};
    g_hash_table_insert(auth->inquiries, call, inquiry);
    g_hash_table_insert(auth->inquirers, GUINT_TO_POINTER(uid), GUINT_TO_POINTER(n + 1));
    viommu_membership_ask(auth->membership, uid, on_member, inquiry);
    return VIOMMU_AUTH_LATER;
}

static bool take_answer(ViommuAuth *auth, sd_bus_message *call, ViommuMember *ret_answer)
{
    const Inquiry *inquiry = g_hash_table_lookup(auth->inquiries, call);
    bool answered = inquiry && inquiry->answered;

    if (answered) {
        *ret_answer = inquiry->answer;
        g_hash_table_remove(auth->inquiries, call);
    }
    return answered;
}

/* NO without an error: the user is not a member. */
static ViommuAuthAnswer check_member(ViommuAuth *auth, sd_bus_message *call, uid_t uid, GError **error)
{
    ViommuMember answer = VIOMMU_MEMBER_UNKNOWN;

    if (!auth->membership)
        return VIOMMU_AUTH_NO;
    if (!take_answer(auth, call, &answer) && !viommu_membership_recall(auth->membership, uid, &answer))
        return inquire(auth, call, uid, error);
    switch (answer) {
    case VIOMMU_MEMBER_YES:
        auth->members = call;
        return VIOMMU_AUTH_YES;
    case VIOMMU_MEMBER_UNKNOWN:
        viommu_fail(
            error, VIOMMU_ERROR_BUSY,
            "the system's user database did not report within %u s whether user %u is in group '%s'; try again, or ask root",
            VIOMMU_MEMBERSHIP_TIMEOUT_SEC, uid, auth->group);
        return VIOMMU_AUTH_NO;
    case VIOMMU_MEMBER_NO:
    case VIOMMU_MEMBER_LAST:
        break;
    }
    return VIOMMU_AUTH_NO;
}

bool viommu_auth_is_trusted(const ViommuAuth *auth, uint32_t uid)
{
    return uid == 0 || uid == auth->own_uid;
}

/* --- polkit --- */

static int on_answer(sd_bus_message *answer, void *userdata, sd_bus_error *unused)
{
    Question *question = userdata;
    bool interactive = sd_bus_message_get_allow_interactive_authorization(question->call) > 0;
    g_autoptr(GError) error = NULL;
    int r;

    question->granted = viommu_polkit_read(answer, interactive, &error);
    if (question->granted) {
        r = viommu_auth_take_up(question->call);
        if (r >= 0)
            return 1;
        refuse(&error, "viommud cannot resume the call: %s", g_strerror(-r));
    }
    g_prefix_error(&error, "'%s' on machine '%s', which belongs to another user, needs %s: ",
                   sd_bus_message_get_member(question->call), question->name, VIOMMU_POLKIT_MANAGE_ALL);
    (void)viommu_bus_reply_error(question->call, error, NULL);
    g_hash_table_remove(question->auth->questions, question->call);
    return 1;
}

static ViommuAuthShare count_questions(const ViommuAuth *auth, uid_t uid)
{
    GHashTableIter iter;
    ViommuAuthShare share = {0};
    void *question;

    g_hash_table_iter_init(&iter, auth->questions);
    while (g_hash_table_iter_next(&iter, NULL, &question))
        viommu_auth_share_count(&share, ((Question *)question)->uid, uid);
    viommu_auth_devices_count(auth->devices, uid, &share);
    return share;
}

static ViommuAuthAnswer ask_polkit(ViommuAuth *auth, sd_bus_message *call, uid_t uid,
                                   const ViommuMachine *machine, GError **error)
{
    const ViommuAuthShare share = count_questions(auth, uid);
    Question *question;
    int r;

    if (!viommu_auth_share_check(&share, uid, error) || !viommu_room_check(error))
        return VIOMMU_AUTH_NO;
    question = g_new0(Question, 1);
    *question = (Question){.auth = auth,
                           .call = sd_bus_message_ref(call),
                           .name = g_strdup(machine->name),
                           .uid = uid,
                           .owner_uid = machine->owner_uid};
    g_hash_table_insert(auth->questions, call, question);
    r = viommu_polkit_ask(call, machine, on_answer, question, &question->slot);
    if (r >= 0)
        return VIOMMU_AUTH_LATER;
    g_hash_table_remove(auth->questions, call);
    return refuse(error, "viommud cannot ask polkit: %s", g_strerror(-r));
}

/* A grant is for this call alone, and for a machine of the owner that polkit was told of. */
static bool take_grant(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine)
{
    const Question *question = g_hash_table_lookup(auth->questions, call);
    bool granted = question && question->granted && machine && question->owner_uid == machine->owner_uid;

    g_hash_table_remove(auth->questions, call);
    return granted;
}

/* --- The policy --- */

static bool find_action(sd_bus_message *call, ViommuAction *ret_action)
{
    for (size_t i = 0; i < G_N_ELEMENTS(members); i++)
        if (sd_bus_message_is_method_call(call, members[i].interface, members[i].member) > 0) {
            *ret_action = members[i].action;
            return true;
        }
    return false;
}

bool viommu_auth_is_question(sd_bus_message *call)
{
    ViommuAction action;

    return find_action(call, &action) &&
           (action == VIOMMU_ACTION_READ || action == VIOMMU_ACTION_PLAN || action == VIOMMU_ACTION_SHOW);
}

bool viommu_auth_comes_again(const ViommuAuth *auth, const sd_bus_message *call)
{
    return g_hash_table_contains(auth->inquiries, call) || g_hash_table_contains(auth->questions, call) ||
           viommu_auth_devices_know(auth->devices, call);
}

static ViommuAuthAnswer check_show(sd_bus_message *call, uid_t uid, const ViommuMachine *machine,
                                   GError **error)
{
    const ViommuProperty *property;
    const char *interface, *name;
    bool open = !machine || machine->owner_uid == uid;

    if (!open && sd_bus_message_is_method_call(call, NULL, "Get") > 0 &&
        sd_bus_message_read(call, "ss", &interface, &name) > 0) {
        property = viommu_machine_property(name);
        open = property && property->open;
    }
    (void)sd_bus_message_rewind(call, true);
    if (open)
        return VIOMMU_AUTH_YES;
    return refuse(error, "machine '%s' belongs to another user; only its Name, State and Result can be read",
                  machine->name);
}

static ViommuAuthAnswer check_launch(ViommuAuth *auth, sd_bus_message *call, uid_t uid, GError **error)
{
    g_autoptr(GError) cause = NULL;
    ViommuAuthAnswer answer = check_member(auth, call, uid, &cause);

    if (answer != VIOMMU_AUTH_NO)
        return answer;
    viommu_auth_devices_forget(auth->devices, call);
    if (!cause)
        return refuse(
            error,
            "user %u may not launch machines, because the user is not in group '%s'; add the user to the group",
            uid, auth->group);
    g_propagate_error(error, g_steal_pointer(&cause));
    return VIOMMU_AUTH_NO;
}

/* All users may plan, but the permitted result differs. */
static ViommuAuthAnswer check_plan(ViommuAuth *auth, sd_bus_message *call, uid_t uid)
{
    ViommuAuthAnswer answer = check_member(auth, call, uid, NULL);

    return answer == VIOMMU_AUTH_LATER ? answer : VIOMMU_AUTH_YES;
}

/* An owner who is no longer a member needs polkit's permission, like other users. */
static ViommuAuthAnswer check_owner(ViommuAuth *auth, sd_bus_message *call, uid_t uid,
                                    const ViommuMachine *machine, GError **error)
{
    g_autoptr(GError) cause = NULL;
    ViommuAuthAnswer answer = VIOMMU_AUTH_NO;

    if (machine->owner_uid == uid)
        answer = check_member(auth, call, uid, &cause);
    if (answer != VIOMMU_AUTH_NO)
        return answer;
    if (!cause)
        return ask_polkit(auth, call, uid, machine, error);
    g_propagate_error(error, g_steal_pointer(&cause));
    return VIOMMU_AUTH_NO;
}

static ViommuAuthAnswer refuse_nothing(ViommuAuth *auth, sd_bus_message *call, GError **error)
{
    g_hash_table_remove(auth->inquiries, call);
    viommu_fail(error, VIOMMU_ERROR_NOT_FOUND,
                "there is no machine at '%.128s'; GetMachine() finds a machine by its name",
                sd_bus_message_get_path(call));
    return VIOMMU_AUTH_NO;
}

/* On a user's own bus, all who come here may do everything, and own all machines. */
static ViommuAuthAnswer check_equip(ViommuAuth *auth, sd_bus_message *call, uid_t uid,
                                    const ViommuMachine *machine, GError **error)
{
    if (!machine)
        return refuse_nothing(auth, call, error);
    if (auth->group && machine->owner_uid != uid)
        return refuse(
            error,
            "machine '%s' belongs to user %u, and only its owner may attach a device to it, because files and devices are judged for the owner",
            machine->name, machine->owner_uid);
    return viommu_auth_is_trusted(auth, uid) ? VIOMMU_AUTH_YES : check_launch(auth, call, uid, error);
}

static ViommuAuthAnswer check_manage(ViommuAuth *auth, sd_bus_message *call, uid_t uid,
                                     const ViommuMachine *machine, GError **error)
{
    bool granted = take_grant(auth, call, machine);

    if (!machine)
        return refuse_nothing(auth, call, error);
    if (granted || viommu_auth_is_trusted(auth, uid))
        return VIOMMU_AUTH_YES;
    return check_owner(auth, call, uid, machine, error);
}

ViommuAuthAnswer viommu_auth_check(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine,
                                   GError **error)
{
    const char *interface = sd_bus_message_get_interface(call), *member = sd_bus_message_get_member(call);
    ViommuAction action;
    uint32_t uid;

    auth->members = NULL;
    if (!find_action(call, &action))
        return refuse(error, "there is no method '%s' on interface '%s'", member, interface ? interface : "");
    if (!find_caller(auth, call, &uid, error))
        return VIOMMU_AUTH_NO;
    if (!auth->group && !viommu_auth_is_trusted(auth, uid))
        return refuse(error, "user %u may not call '%s'; only root and user %u may", uid, member,
                      auth->own_uid);
    if (viommu_auth_is_trusted(auth, uid) && action != VIOMMU_ACTION_MANAGE && action != VIOMMU_ACTION_EQUIP)
        return VIOMMU_AUTH_YES;
    switch (action) {
    case VIOMMU_ACTION_READ:
        return VIOMMU_AUTH_YES;
    case VIOMMU_ACTION_PLAN:
        return check_plan(auth, call, uid);
    case VIOMMU_ACTION_SHOW:
        return check_show(call, uid, machine, error);
    case VIOMMU_ACTION_LAUNCH:
        return check_launch(auth, call, uid, error);
    case VIOMMU_ACTION_MANAGE:
        return check_manage(auth, call, uid, machine, error);
    case VIOMMU_ACTION_EQUIP:
        return check_equip(auth, call, uid, machine, error);
    case VIOMMU_ACTION_TUNE:
        return refuse(error, "user %u may not change viommud's settings; only root may", uid);
    case VIOMMU_ACTION_LAST:
        break;
    }
    return VIOMMU_AUTH_NO;
}

bool viommu_auth_uid(ViommuAuth *auth, sd_bus_message *call, uint32_t *ret_uid, GError **error)
{
    return find_caller(auth, call, ret_uid, error);
}

static ViommuAskerKind kind_of(const ViommuAuth *auth, const sd_bus_message *call, uint32_t uid)
{
    if (!auth->group)
        return VIOMMU_ASKER_OWN;
    if (viommu_auth_is_trusted(auth, uid))
        return VIOMMU_ASKER_ROOT;
    return auth->members == call ? VIOMMU_ASKER_MEMBER : VIOMMU_ASKER_OUTSIDER;
}

bool viommu_auth_asker(ViommuAuth *auth, sd_bus_message *call, ViommuAsker *ret_asker, GError **error)
{
    uint32_t uid;

    if (!find_caller(auth, call, &uid, error))
        return false;
    *ret_asker = (ViommuAsker){.kind = kind_of(auth, call, uid), .uid = uid};
    return true;
}

static bool names_address(const ViommuRequest *request)
{
    for (guint i = 0; request->hostdevs && i < request->hostdevs->len; i++)
        if (((const ViommuRequestHostdev *)g_ptr_array_index(request->hostdevs, i))->address)
            return true;
    return false;
}

ViommuAuthAnswer viommu_auth_ask_devices(ViommuAuth *auth, sd_bus_message *call,
                                         const ViommuAuthLaunch *launch, ViommuAsker *asker, GError **error)
{
    const ViommuAuthShare share = count_questions(auth, asker->uid);

    if (asker->kind != VIOMMU_ASKER_MEMBER || !launch->host || !launch->site ||
        !names_address(launch->request))
        return VIOMMU_AUTH_YES;
    if (!viommu_room_check(error)) {
        viommu_auth_devices_forget(auth->devices, call);
        return VIOMMU_AUTH_NO;
    }
    return viommu_auth_devices_ask(auth->devices, call, launch, &share, asker, error);
}

void viommu_auth_forget_devices(ViommuAuth *auth, sd_bus_message *call)
{
    viommu_auth_devices_forget(auth->devices, call);
}

void viommu_auth_asker_clear(ViommuAsker *asker)
{
    g_clear_pointer(&asker->names, g_strfreev);
    g_clear_pointer(&asker->granted, g_strfreev);
    g_clear_pointer(&asker->verdict, g_free);
}

bool viommu_auth_sees(ViommuAuth *auth, sd_bus_message *call, const ViommuMachine *machine)
{
    uint32_t uid;

    return find_caller(auth, call, &uid, NULL) &&
           (viommu_auth_is_trusted(auth, uid) || uid == machine->owner_uid);
}
