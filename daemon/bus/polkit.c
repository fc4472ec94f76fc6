/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polkit: calls org.freedesktop.PolicyKit1.Authority.CheckAuthorization and reads the reply. */
#include "daemon/bus/polkit.h"

#include "lib/base/printable.h"
#include "lib/base/error.h"

#define FLAG_INTERACTIVE 1u

/* Time for a user to type a password. */
#define TIMEOUT_USEC             (20 * G_USEC_PER_SEC)
#define TIMEOUT_INTERACTIVE_USEC (120 * G_USEC_PER_SEC)

/* Errors of the bus when polkit does not run. */
static const char *const absent[] = {
    SD_BUS_ERROR_SERVICE_UNKNOWN,
    SD_BUS_ERROR_NAME_HAS_NO_OWNER,
    "org.freedesktop.systemd1.NoSuchUnit",
    "org.freedesktop.systemd1.UnitMasked",
};

/* The operation in polkit's message: "to stop the virtual machine ...". */
static const struct {
    const char *member, *words;
} operations[] = {
    {"Stop", "stop"},
    {"Kill", "kill"},
    {"Reset", "reset"},
    {"Suspend", "suspend"},
    {"Resume", "resume"},
    {"Extend", "extend the lease of"},
    {"OpenConsole", "use the console of"},
    {"Verify", "verify the IOMMU of"},
    {"AwaitReady", "wait for the agent of"},
    {"Exec", "run a command in"},
    {"DetachDevice", "detach a device from"},
    {"GetDomainXML", "read the configuration of"},
};

static const char *operation_of(sd_bus_message *call)
{
    const char *member = sd_bus_message_get_member(call);

    for (size_t i = 0; i < G_N_ELEMENTS(operations); i++)
        if (g_strcmp0(operations[i].member, member) == 0)
            return operations[i].words;
    return "manage";
}

typedef struct Question {
    const char *action;
    const char *const *details; /* key, value, ..., NULL */
} Question;

static int append_details(sd_bus_message *message, const char *const *details)
{
    int r = sd_bus_message_open_container(message, 'a', "{ss}");

    for (; r >= 0 && *details; details += 2)
        r = sd_bus_message_append(message, "{ss}", details[0], details[1]);
    return r < 0 ? r : sd_bus_message_close_container(message);
}

/* The subject is a connection, not a process, because the process id may be reused before polkit
 * looks. */
static int append_question(sd_bus_message *message, sd_bus_message *call, const Question *question)
{
    uint32_t flags = sd_bus_message_get_allow_interactive_authorization(call) > 0 ? FLAG_INTERACTIVE : 0;
    int r = sd_bus_message_append(message, "(sa{sv})s", "system-bus-name", 1, "name", "s",
                                  sd_bus_message_get_sender(call), question->action);

    if (r >= 0)
        r = append_details(message, question->details);
    return r < 0 ? r : sd_bus_message_append(message, "us", flags, "");
}

static int ask(sd_bus_message *call, const Question *question, sd_bus_message_handler_t handler,
               void *userdata, sd_bus_slot **ret_slot)
{
    bool interactive = sd_bus_message_get_allow_interactive_authorization(call) > 0;
    sd_bus *bus = sd_bus_message_get_bus(call);
    sd_bus_message *message = NULL;
    int r = sd_bus_message_new_method_call(bus, &message, "org.freedesktop.PolicyKit1",
                                           "/org/freedesktop/PolicyKit1/Authority",
                                           "org.freedesktop.PolicyKit1.Authority", "CheckAuthorization");

    if (r >= 0)
        r = append_question(message, call, question);
    if (r >= 0)
        r = sd_bus_call_async(bus, ret_slot, message, handler, userdata,
                              interactive ? TIMEOUT_INTERACTIVE_USEC : TIMEOUT_USEC);
    sd_bus_message_unref(message);
    return r;
}

int viommu_polkit_ask(sd_bus_message *call, const ViommuMachine *machine, sd_bus_message_handler_t handler,
                      void *userdata, sd_bus_slot **ret_slot)
{
    g_autofree char *owner = g_strdup_printf("%u", machine->owner_uid);
    /* The name of a found domain may contain anything. */
    g_autofree char *name = viommu_console_text_clean(machine->name);
    const char *details[] = {"machine", name, "owner", owner, "operation", operation_of(call), NULL};

    return ask(call, &(Question){VIOMMU_POLKIT_MANAGE_ALL, details}, handler, userdata, ret_slot);
}

int viommu_polkit_ask_device(sd_bus_message *call, const ViommuPolkitDevice *device,
                             sd_bus_message_handler_t handler, void *userdata, sd_bus_slot **ret_slot)
{
    g_autofree char *owner = g_strdup_printf("%u", device->owner_uid);
    /* Real names have no blanks. */
    const char *name = device->machine ? device->machine : "(no name yet)";
    const char *details[] = {"machine", name,           "owner",  owner,          "address", device->address,
                             "vendor",  device->vendor, "device", device->device, "driver",  device->driver,
                             NULL};

    return ask(call, &(Question){VIOMMU_POLKIT_ASSIGN_DEVICE, details}, handler, userdata, ret_slot);
}

static bool is_absent(const sd_bus_error *error)
{
    for (size_t i = 0; i < G_N_ELEMENTS(absent); i++)
        if (sd_bus_error_has_name(error, absent[i]))
            return true;
    return false;
}

static void refuse(GError **error, const char *words)
{
    viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED, "%s", words);
}

bool viommu_polkit_read(sd_bus_message *answer, bool interactive, GError **error)
{
    const sd_bus_error *from_bus = sd_bus_message_get_error(answer);
    int authorised = 0, challenge = 0;

    if (from_bus && is_absent(from_bus))
        refuse(error, "polkit is not running; install and start polkitd, or call as root");
    else if (from_bus)
        viommu_fail(error, VIOMMU_ERROR_POLICY_REFUSED,
                    "polkit did not reply: %s; see \"systemctl status polkit\"",
                    from_bus->message ? from_bus->message : from_bus->name);
    else if (sd_bus_message_enter_container(answer, 'r', "bba{ss}") < 0 ||
             sd_bus_message_read(answer, "bb", &authorised, &challenge) < 0)
        refuse(error, "polkit sent an invalid reply");
    else if (authorised)
        return true;
    else if (challenge && interactive)
        refuse(
            error,
            "polkit needs a password, and no authentication agent is running to ask for it; use viommuctl on a terminal, which starts one");
    else if (challenge)
        refuse(
            error,
            "polkit needs a password, and the call does not allow interactive authorization; allow it (viommuctl: leave out --no-ask-password), or call as root");
    else
        refuse(error, "polkit denied it; ask an administrator of this host");
    return false;
}
