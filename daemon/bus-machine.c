/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bus-machine: the interface org.viommu1.Machine, one table for all machines.  Reads, authorises, calls the manager,
 * replies. */
#include "daemon/bus.h"

#include <stddef.h>
#include <string.h>
#include "daemon/log.h"
#include "lib/names.h"

/* --- Finding a machine by its path --- */

static ViommuMachine *find_by_path(const ViommuBus *bus, const char *path)
{
    g_autofree char *uuid = NULL;
    ViommuMachine *machine;

    if (!g_str_has_prefix(path, VIOMMU_MACHINE_PREFIX "/"))
        return NULL;
    uuid = g_strdelimit(g_strdup(path + strlen(VIOMMU_MACHINE_PREFIX "/")), "_", '-');
    machine = viommu_registry_by_uuid(viommu_manager_registry(bus->manager), uuid);
    return machine && machine->announced ? machine : NULL;
}

static int on_find(sd_bus *unused_bus, const char *path, const char *interface, void *userdata,
                   void **ret_found, sd_bus_error *unused)
{
    *ret_found = find_by_path(userdata, path);
    return *ret_found ? 1 : 0;
}

static int on_enumerate(sd_bus *unused_bus, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GPtrArray) machines = viommu_registry_list(viommu_manager_registry(bus->manager), true);
    /* sd-bus frees them by free(). */
    char **nodes = calloc(machines->len + 1, sizeof(char *));

    for (guint i = 0; nodes && i < machines->len; i++) {
        g_autofree char *path = viommu_bus_machine_path(g_ptr_array_index(machines, i));
        nodes[i] = strdup(path);
    }
    *ret_nodes = nodes;
    return nodes ? 0 : -ENOMEM;
}

/* The handlers get the machine as their userdata; the bus is that of the table. */
static ViommuBus *bus_of(sd_bus_message *call)
{
    return sd_bus_slot_get_userdata(sd_bus_get_current_slot(sd_bus_message_get_bus(call)));
}

/* --- Methods --- */

static int stop(sd_bus_message *call, ViommuMachine *machine, uint32_t seconds)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;

    if (!viommu_bus_authorise(bus, call, NULL))
        return 1;
    waiter = viommu_bus_reply_later(call, viommu_bus_reply_empty);
    viommu_manager_stop(bus->manager, machine, seconds, &waiter);
    return 1;
}

static int method_stop(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    uint32_t seconds;
    int r = sd_bus_message_read(call, "u", &seconds);

    return r < 0 ? r : stop(call, userdata, seconds);
}

static int method_kill(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return stop(call, userdata, 0);
}

static int method_reset(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;

    if (!viommu_bus_authorise(bus, call, NULL))
        return 1;
    waiter = viommu_bus_reply_later(call, viommu_bus_reply_empty);
    viommu_manager_reset(bus->manager, userdata, &waiter);
    return 1;
}

static int reply_xml(sd_bus_message *call, const ViommuOutcome *outcome)
{
    return sd_bus_reply_method_return(call, "s", outcome->xml);
}

static int method_get_domain_xml(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;

    if (!viommu_bus_authorise(bus, call, NULL))
        return 1;
    waiter = viommu_bus_reply_later(call, reply_xml);
    viommu_manager_get_xml(bus->manager, userdata, &waiter);
    return 1;
}

/* --- Properties that are not simply members of the struct --- */

static int get_uuid(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return sd_bus_message_append(reply, "s", ((ViommuMachine *)userdata)->uuid);
}

static int get_failure(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    const ViommuMachine *machine = userdata;
    g_autofree char *text =
        machine->failure_text ? g_utf8_make_valid(machine->failure_text, -1) : g_strdup("");

    return sd_bus_message_append(reply, "(ss)", machine->failure_name ? machine->failure_name : "", text);
}

static const struct {
    const char *property;
    const ViommuEnum *words;
    size_t offset;
} words[] = {
    {"State", &viommu_enum_state, offsetof(ViommuMachine, state)},
    {"Result", &viommu_enum_result, offsetof(ViommuMachine, result)},
    {"Arch", &viommu_enum_arch, offsetof(ViommuMachine, arch)},
    {"Accelerator", &viommu_enum_accelerator, offsetof(ViommuMachine, accelerator)},
    {"IommuModel", &viommu_enum_model, offsetof(ViommuMachine, model)},
};

static int get_word(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    const char *word = NULL;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        if (g_str_equal(words[i].property, property))
            word = viommu_enum_to_string(words[i].words, *(int *)((char *)userdata + words[i].offset));
    return sd_bus_message_append(reply, "s", word ? word : "");
}

static int append_texts(sd_bus_message *reply, char **texts)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "s");

    for (char **text = texts; r >= 0 && text && *text; text++) {
        g_autofree char *valid = g_utf8_make_valid(*text, -1);
        r = sd_bus_message_append(reply, "s", valid);
    }
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_reasons(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return append_texts(reply, ((ViommuMachine *)userdata)->reasons);
}

static int get_warnings(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                        sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return append_texts(reply, ((ViommuMachine *)userdata)->warnings);
}

/* Open for sd-bus, which knows privileged callers and others only: auth decides. */
#define OPEN       SD_BUS_VTABLE_UNPRIVILEGED
#define CHANGES    SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE
#define FIXED      SD_BUS_VTABLE_PROPERTY_CONST
#define AT(member) offsetof(ViommuMachine, member)

static const sd_bus_vtable machine_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("u", seconds), SD_BUS_NO_RESULT, method_stop, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_kill, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Reset", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reset, OPEN),
    SD_BUS_METHOD_WITH_ARGS("GetDomainXML", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", xml), method_get_domain_xml,
                            OPEN),
    SD_BUS_PROPERTY("Name", "s", NULL, AT(name), FIXED),
    SD_BUS_PROPERTY("UUID", "s", get_uuid, 0, FIXED),
    SD_BUS_PROPERTY("State", "s", get_word, 0, CHANGES),
    SD_BUS_PROPERTY("Result", "s", get_word, 0, CHANGES),
    SD_BUS_PROPERTY("Failure", "(ss)", get_failure, 0, CHANGES),
    SD_BUS_PROPERTY("Owner", "u", NULL, AT(owner_uid), FIXED),
    SD_BUS_PROPERTY("Arch", "s", get_word, 0, FIXED),
    SD_BUS_PROPERTY("MachineType", "s", NULL, AT(machine_type), FIXED),
    SD_BUS_PROPERTY("Accelerator", "s", get_word, 0, FIXED),
    SD_BUS_PROPERTY("VCPUs", "u", NULL, AT(vcpus), FIXED),
    SD_BUS_PROPERTY("Memory", "t", NULL, AT(memory_bytes), FIXED),
    SD_BUS_PROPERTY("MemlockBytes", "t", NULL, AT(memlock_bytes), FIXED),
    SD_BUS_PROPERTY("IommuModel", "s", get_word, 0, CHANGES),
    SD_BUS_PROPERTY("Reasons", "as", get_reasons, 0, CHANGES),
    SD_BUS_PROPERTY("Warnings", "as", get_warnings, 0, CHANGES),
    SD_BUS_PROPERTY("ConsoleLog", "s", NULL, AT(console_log), FIXED),
    SD_BUS_PROPERTY("RequestId", "s", NULL, AT(request_id), FIXED),
    SD_BUS_PROPERTY("Created", "t", NULL, AT(created_usec), FIXED),
    SD_BUS_VTABLE_END,
};

/* --- Signals --- */

static void check_sent(const ViommuMachine *machine, int r)
{
    ViommuLogFields fields = {.machine_name = machine->name, .machine_uuid = machine->uuid};

    if (r < 0)
        viommu_log(LOG_WARNING, &fields, "Cannot send a signal about machine '%s': %s", machine->name,
                   g_strerror(-r));
}

static void on_added(const ViommuMachine *machine, void *userdata)
{
    ViommuBus *bus = userdata;
    g_autofree char *path = viommu_bus_machine_path(machine);

    check_sent(machine, sd_bus_emit_object_added(bus->bus, path));
}

static void on_changed(const ViommuMachine *machine, unsigned changes, void *userdata)
{
    ViommuBus *bus = userdata;
    g_autofree char *path = viommu_bus_machine_path(machine);
    const char *names[8];
    unsigned n = 0;

    if (changes & VIOMMU_MACHINE_CHANGE_STATE)
        names[n++] = "State";
    if (changes & VIOMMU_MACHINE_CHANGE_RESULT)
        names[n++] = "Result";
    if (changes & VIOMMU_MACHINE_CHANGE_FAILURE)
        names[n++] = "Failure";
    if (changes & VIOMMU_MACHINE_CHANGE_PLAN) {
        names[n++] = "IommuModel";
        names[n++] = "Reasons";
        names[n++] = "Warnings";
    }
    names[n] = NULL;
    check_sent(machine,
               sd_bus_emit_properties_changed_strv(bus->bus, path, VIOMMU_IFACE_MACHINE, (char **)names));
}

static void on_removed(const ViommuMachine *machine, void *userdata)
{
    ViommuBus *bus = userdata;
    g_autofree char *path = viommu_bus_machine_path(machine);

    check_sent(machine, sd_bus_emit_object_removed(bus->bus, path));
}

static const ViommuRegistryWatcher watcher = {
    .added = on_added, .changed = on_changed, .removed = on_removed};

int viommu_bus_add_machines(ViommuBus *bus)
{
    int r = sd_bus_add_fallback_vtable(bus->bus, NULL, VIOMMU_MACHINE_PREFIX, VIOMMU_IFACE_MACHINE,
                                       machine_vtable, on_find, bus);

    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus->bus, NULL, VIOMMU_MACHINE_PREFIX, on_enumerate, bus);
    if (r >= 0)
        viommu_registry_watch(viommu_manager_registry(bus->manager), &watcher, bus);
    return r;
}
