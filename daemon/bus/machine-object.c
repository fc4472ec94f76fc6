/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-object: the interface org.viommu1.Machine, one table for all machines.  Reads, calls the
 * manager, replies; auth has allowed the call before. */
#include "daemon/bus/bus.h"

#include <string.h>
#include <unistd.h>
#include "daemon/bus/errors.h"
#include "daemon/bus/listing.h"
#include "daemon/bus/machine-signals.h"
#include "daemon/bus/machine-values.h"
#include "lib/base/names.h"

/* --- Finding a machine by its path --- */

ViommuMachine *viommu_bus_find_machine(const ViommuBus *bus, const char *path)
{
    g_autofree char *uuid = NULL;
    ViommuMachine *machine;

    if (!path || !g_str_has_prefix(path, VIOMMU_MACHINE_PREFIX "/"))
        return NULL;
    uuid = g_strdelimit(g_strdup(path + strlen(VIOMMU_MACHINE_PREFIX "/")), "_", '-');
    machine = viommu_registry_by_uuid(viommu_manager_registry(bus->manager), uuid);
    return machine && machine->announced ? machine : NULL;
}

bool viommu_bus_shows(const ViommuBus *bus, sd_bus_message *call, const ViommuMachine *machine)
{
    return machine->announced && (machine->shown || viommu_auth_sees(bus->auth, call, machine));
}

ViommuMachine *viommu_bus_find_machine_for(const ViommuBus *bus, sd_bus_message *call)
{
    ViommuMachine *machine = viommu_bus_find_machine(bus, sd_bus_message_get_path(call));

    return machine && viommu_bus_shows(bus, call, machine) ? machine : NULL;
}

/* For calls, and for viommud's own signals. */
static int on_find(sd_bus *unused_bus, const char *path, const char *interface, void *userdata,
                   void **ret_found, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    sd_bus_message *call = bus->telling ? NULL : sd_bus_get_current_message(bus->bus);
    ViommuMachine *machine = viommu_bus_find_machine(bus, path);

    *ret_found = machine && call && !viommu_bus_shows(bus, call, machine) ? NULL : machine;
    return *ret_found ? 1 : 0;
}

static int on_enumerate(sd_bus *unused_bus, const char *prefix, void *userdata, char ***ret_nodes,
                        sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GPtrArray) machines = viommu_registry_list(viommu_manager_registry(bus->manager), true);
    sd_bus_message *call = sd_bus_get_current_message(bus->bus);
    /* sd-bus frees them by free(). */
    char **nodes = calloc(machines->len + 1, sizeof(char *));

    for (guint i = 0, n = 0; nodes && i < machines->len; i++) {
        g_autofree char *path = viommu_bus_machine_path(g_ptr_array_index(machines, i));
        if (!call || viommu_bus_shows(bus, call, g_ptr_array_index(machines, i)))
            nodes[n++] = strdup(path);
    }
    *ret_nodes = nodes;
    return nodes ? 0 : -ENOMEM;
}

/* Handlers get the machine as their userdata; the table has the bus. */
static ViommuBus *bus_of(sd_bus_message *call)
{
    return sd_bus_slot_get_userdata(sd_bus_get_current_slot(sd_bus_message_get_bus(call)));
}

/* --- Methods --- */

static int stop(sd_bus_message *call, ViommuMachine *machine, uint32_t seconds)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;

    if (viommu_bus_reply_later(bus, call, viommu_bus_fill_nothing, &waiter))
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

/* An order without arguments and result. */
typedef void (*OrderFunc)(ViommuManager *manager, const ViommuMachine *machine, const ViommuWaiter *waiter);

static int order(sd_bus_message *call, const ViommuMachine *machine, OrderFunc func)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;

    if (viommu_bus_reply_later(bus, call, viommu_bus_fill_nothing, &waiter))
        func(bus->manager, machine, &waiter);
    return 1;
}

static int method_reset(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return order(call, userdata, viommu_manager_reset);
}

static int method_suspend(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return order(call, userdata, viommu_manager_suspend);
}

static int method_resume(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return order(call, userdata, viommu_manager_resume);
}

static int fill_xml(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    return sd_bus_message_append(reply, "s", outcome->xml);
}

static int method_get_domain_xml(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;

    if (viommu_bus_reply_later(bus, call, fill_xml, &waiter))
        viommu_manager_get_xml(bus->manager, userdata, &waiter);
    return 1;
}

static int fill_lease_end(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    return sd_bus_message_append(reply, "t", outcome->machine->lease_end_usec);
}

static int method_extend(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;
    uint64_t seconds;
    uint32_t uid;
    int r = sd_bus_message_read(call, "t", &seconds);
    bool bound = !viommu_auth_uid(bus->auth, call, &uid, NULL) || !viommu_auth_is_trusted(bus->auth, uid);

    if (r < 0)
        return r;
    if (viommu_bus_reply_later(bus, call, fill_lease_end, &waiter))
        viommu_manager_extend(bus->manager, userdata, seconds, bound, &waiter);
    return 1;
}

/* Asks the guest, for the seconds that the call says at most. */
typedef void (*AskFunc)(ViommuManager *manager, const ViommuMachine *machine, uint64_t seconds,
                        const ViommuWaiter *waiter);

static int ask_guest(sd_bus_message *call, const ViommuMachine *machine, AskFunc ask, ViommuBusFillFunc fill)
{
    ViommuBus *bus = bus_of(call);
    ViommuWaiter waiter;
    uint64_t seconds;
    int r = sd_bus_message_read(call, "t", &seconds);

    if (r < 0)
        return r;
    if (viommu_bus_reply_later(bus, call, fill, &waiter))
        ask(bus->manager, machine, seconds, &waiter);
    return 1;
}

static int method_verify(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return ask_guest(call, userdata, viommu_manager_verify, viommu_bus_fill_report);
}

static int method_await_ready(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return ask_guest(call, userdata, viommu_manager_await_ready, viommu_bus_fill_nothing);
}

static int method_exec(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return viommu_bus_exec(bus_of(call), call, userdata);
}

static int method_attach_device(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return viommu_bus_attach_device(bus_of(call), call, userdata);
}

static int method_detach_device(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return viommu_bus_detach_device(bus_of(call), call, userdata);
}

static int method_open_console(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = bus_of(call);
    g_autoptr(GError) error = NULL;
    int fd = -1, r;

    if (!viommu_manager_open_console(bus->manager, userdata, &fd, &error))
        return viommu_bus_reply_error(call, error, NULL);
    r = sd_bus_reply_method_return(call, "h", fd);
    close(fd);
    return r;
}

/* --- Properties --- */

/* The rows of daemon/machines/properties serve sd-bus, the signals, and the list of objects, which
 * sd-bus would give to every user as a whole. */
static int get_property(sd_bus *unused_bus, const char *path, const char *interface, const char *name,
                        sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    const ViommuProperty *property = viommu_machine_property(name);

    return property ? viommu_machine_value_append(reply, property, userdata) : -ENOENT;
}

/* Open for sd-bus, which only distinguishes privileged callers from others: auth decides. */
#define OPEN SD_BUS_VTABLE_UNPRIVILEGED

static const sd_bus_vtable methods[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Stop", SD_BUS_ARGS("u", seconds), SD_BUS_NO_RESULT, method_stop, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Kill", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_kill, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Reset", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_reset, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Suspend", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_suspend, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Resume", SD_BUS_NO_ARGS, SD_BUS_NO_RESULT, method_resume, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Extend", SD_BUS_ARGS("t", seconds), SD_BUS_RESULT("t", end), method_extend,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("OpenConsole", SD_BUS_NO_ARGS, SD_BUS_RESULT("h", console), method_open_console,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("Verify", SD_BUS_ARGS("t", seconds), SD_BUS_RESULT("a{sv}", report),
                            method_verify, OPEN),
    SD_BUS_METHOD_WITH_ARGS("AwaitReady", SD_BUS_ARGS("t", seconds), SD_BUS_NO_RESULT, method_await_ready,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("Exec", SD_BUS_ARGS("as", argv, "h", stdin, "h", stdout, "h", stderr),
                            SD_BUS_RESULT("i", status), method_exec, OPEN),
    SD_BUS_METHOD_WITH_ARGS("AttachDevice", SD_BUS_ARGS("a{sv}", device), SD_BUS_RESULT("s", id),
                            method_attach_device, OPEN),
    SD_BUS_METHOD_WITH_ARGS("DetachDevice", SD_BUS_ARGS("s", id), SD_BUS_NO_RESULT, method_detach_device,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("GetDomainXML", SD_BUS_NO_ARGS, SD_BUS_RESULT("s", xml), method_get_domain_xml,
                            OPEN),
};

static uint64_t flags_of(const ViommuProperty *property)
{
    if (!property->changes)
        return SD_BUS_VTABLE_PROPERTY_CONST;
    if (property->changes == VIOMMU_PROPERTY_UNTOLD)
        return 0;
    /* All users get the signal, but only the owner may have the value of some properties. */
    return property->open ? SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE : SD_BUS_VTABLE_PROPERTY_EMITS_INVALIDATION;
}

/* The methods, and a row for each property.  sd-bus keeps the address. */
static const sd_bus_vtable *machine_vtable(void)
{
    static sd_bus_vtable vtable[G_N_ELEMENTS(methods) + VIOMMU_MACHINE_PROPERTIES + 1];
    static const sd_bus_vtable end = SD_BUS_VTABLE_END;
    size_t n = G_N_ELEMENTS(methods);

    memcpy(vtable, methods, sizeof(methods));
    for (size_t i = 0; i < VIOMMU_MACHINE_PROPERTIES; i++) {
        const ViommuProperty *property = &viommu_machine_properties[i];

        vtable[n++] = (sd_bus_vtable)SD_BUS_PROPERTY(property->name, viommu_machine_value_type(property),
                                                     get_property, 0, flags_of(property));
    }
    vtable[n] = end;
    return vtable;
}

static int on_get_managed_objects(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    /* sd-bus would give all properties to every user, and at once. */
    if (sd_bus_message_is_method_call(call, OBJECT_MANAGER, "GetManagedObjects") <= 0)
        return 0;
    return viommu_bus_list(userdata, call, VIOMMU_BUS_LIST_OBJECTS);
}

int viommu_bus_add_machines(ViommuBus *bus)
{
    int r = sd_bus_add_fallback_vtable(bus->bus, NULL, VIOMMU_MACHINE_PREFIX, VIOMMU_IFACE_MACHINE,
                                       machine_vtable(), on_find, bus);

    if (r >= 0)
        r = sd_bus_add_object(bus->bus, NULL, VIOMMU_BUS_PATH, on_get_managed_objects, bus);
    if (r >= 0)
        r = sd_bus_add_node_enumerator(bus->bus, NULL, VIOMMU_MACHINE_PREFIX, on_enumerate, bus);
    if (r >= 0)
        viommu_bus_watch_machines(bus);
    if (!bus->is_system)
        viommu_registry_show_all(viommu_manager_registry(bus->manager));
    return r;
}
