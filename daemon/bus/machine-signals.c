/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* machine-signals: a machine as an object of the bus, and the signals about it. */
#include "daemon/bus/machine-signals.h"

#include <string.h>
#include "daemon/bus/listing.h"
#include "daemon/bus/machine-values.h"
#include "daemon/process/journal.h"
#include "daemon/process/log.h"
#include "lib/base/names.h"

/* --- An object --- */

static int append_property(sd_bus_message *reply, const ViommuProperty *property,
                           const ViommuMachine *machine)
{
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_DICT_ENTRY, "sv");

    if (r >= 0)
        r = sd_bus_message_append(reply, "s", property->name);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, SD_BUS_TYPE_VARIANT, viommu_machine_value_type(property));
    if (r >= 0)
        r = viommu_machine_value_append(reply, property, machine);
    if (r >= 0)
        r = sd_bus_message_close_container(reply);
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

int viommu_bus_append_machine(sd_bus_message *reply, const ViommuMachine *machine, bool all)
{
    g_autofree char *path = viommu_bus_machine_path(machine);
    int r = sd_bus_message_append(reply, "o", path);

    if (r >= 0)
        r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sa{sv}}");
    if (r >= 0)
        r = sd_bus_message_open_container(reply, SD_BUS_TYPE_DICT_ENTRY, "sa{sv}");
    if (r >= 0)
        r = sd_bus_message_append(reply, "s", VIOMMU_IFACE_MACHINE);
    if (r >= 0)
        r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{sv}");
    for (size_t i = 0; r >= 0 && i < VIOMMU_MACHINE_PROPERTIES; i++)
        if (all || viommu_machine_properties[i].open)
            r = append_property(reply, &viommu_machine_properties[i], machine);
    for (unsigned depth = 0; r >= 0 && depth < 3; depth++)
        r = sd_bus_message_close_container(reply);
    return r;
}

/* --- Signals --- */

static int new_added(ViommuBus *bus, const ViommuMachine *machine, sd_bus_message **ret_signal)
{
    int r =
        sd_bus_message_new_signal(bus->bus, ret_signal, VIOMMU_BUS_PATH, OBJECT_MANAGER, "InterfacesAdded");

    return r < 0 ? r : viommu_bus_append_machine(*ret_signal, machine, false);
}

static int new_changed(ViommuBus *bus, const ViommuMachine *machine, unsigned changes,
                       sd_bus_message **ret_signal)
{
    g_autofree char *path = viommu_bus_machine_path(machine);
    g_autoptr(GPtrArray) closed = g_ptr_array_new();
    sd_bus_message *signal;
    int r = sd_bus_message_new_signal(bus->bus, ret_signal, path, "org.freedesktop.DBus.Properties",
                                      "PropertiesChanged");

    signal = *ret_signal;
    if (r >= 0)
        r = sd_bus_message_append(signal, "s", VIOMMU_IFACE_MACHINE);
    if (r >= 0)
        r = sd_bus_message_open_container(signal, SD_BUS_TYPE_ARRAY, "{sv}");
    for (size_t i = 0; r >= 0 && i < VIOMMU_MACHINE_PROPERTIES; i++) {
        const ViommuProperty *property = &viommu_machine_properties[i];

        if ((changes & property->changes) && property->open)
            r = append_property(signal, property, machine);
        else if (changes & property->changes)
            g_ptr_array_add(closed, (void *)property->name);
    }
    g_ptr_array_add(closed, NULL);
    if (r >= 0)
        r = sd_bus_message_close_container(signal);
    return r < 0 ? r : sd_bus_message_append_strv(signal, (char **)closed->pdata);
}

static int new_removed(ViommuBus *bus, const char *path, sd_bus_message **ret_signal)
{
    static const char *const interfaces[] = {VIOMMU_IFACE_MACHINE, NULL};
    int r =
        sd_bus_message_new_signal(bus->bus, ret_signal, VIOMMU_BUS_PATH, OBJECT_MANAGER, "InterfacesRemoved");

    if (r >= 0)
        r = sd_bus_message_append(*ret_signal, "o", path);
    return r < 0 ? r : sd_bus_message_append_strv(*ret_signal, (char **)interfaces);
}

/* --- To one connection --- */

/* A lost bus ends the loop, so what cannot be sent is dropped. */
static void send_to(ViommuBus *bus, const char *to, sd_bus_message *signal, int r)
{
    if (r >= 0 && sd_bus_message_set_destination(signal, to) >= 0)
        (void)sd_bus_send(bus->bus, signal, NULL);
    sd_bus_message_unref(signal);
}

void viommu_bus_tell_added(ViommuBus *bus, const ViommuMachine *machine, const char *to)
{
    sd_bus_message *signal = NULL;
    int r = new_added(bus, machine, &signal);

    send_to(bus, to, signal, r);
}

void viommu_bus_tell_changed(ViommuBus *bus, const ViommuMachine *machine, unsigned changes, const char *to)
{
    sd_bus_message *signal = NULL;
    int r = new_changed(bus, machine, changes, &signal);

    send_to(bus, to, signal, r);
}

void viommu_bus_tell_removed(ViommuBus *bus, const char *path, const char *to)
{
    sd_bus_message *signal = NULL;
    int r = new_removed(bus, path, &signal);

    send_to(bus, to, signal, r);
}

/* --- To all who may know of the machine --- */

static void check_sent(const ViommuMachine *machine, int r)
{
    ViommuLogFields fields = {.machine_name = machine->name, .machine_uuid = machine->uuid};

    if (r < 0 && viommu_journal_may_tell(machine->owner_uid))
        viommu_log(LOG_WARNING, &fields, "Cannot send a signal about machine '%s': %s", machine->name,
                   g_strerror(-r));
}

/* Sends to all users or, for a machine that has not run yet, to the connection that launched it.
 * Takes @signal; @r: the result of making it. */
static void send_signal(ViommuBus *bus, const ViommuMachine *machine, sd_bus_message *signal, int r)
{
    const char *name = machine->launcher ? strchr(machine->launcher, ':') : NULL;

    if (r >= 0 && !machine->shown && name)
        r = sd_bus_message_set_destination(signal, name);
    if (r >= 0 && (machine->shown || name))
        r = sd_bus_send(bus->bus, signal, NULL);
    sd_bus_message_unref(signal);
    check_sent(machine, r);
}

static void on_added(const ViommuMachine *machine, void *userdata)
{
    ViommuBus *bus = userdata;
    sd_bus_message *signal = NULL;
    int r = new_added(bus, machine, &signal);

    send_signal(bus, machine, signal, r);
    viommu_bus_listing_added(bus->listing, machine);
}

/* The only place that tracks a client.  A machine that was found again may be bound to a client
 * that has disconnected meanwhile. */
static void on_bound(const ViommuMachine *machine, void *userdata)
{
    ViommuBus *bus = userdata;

    viommu_bus_clients_hold(bus->clients, machine->client);
}

static void on_changed(const ViommuMachine *machine, unsigned changes, void *userdata)
{
    ViommuBus *bus = userdata;
    g_autofree char *path = viommu_bus_machine_path(machine);
    const char *names[VIOMMU_MACHINE_PROPERTIES + 1];
    sd_bus_message *signal = NULL;
    unsigned n = 0;
    int r;

    viommu_bus_listing_changed(bus->listing, machine, changes);
    if (!machine->shown) {
        r = new_changed(bus, machine, changes, &signal);
        send_signal(bus, machine, signal, r);
        return;
    }
    for (size_t i = 0; i < VIOMMU_MACHINE_PROPERTIES; i++)
        if (changes & viommu_machine_properties[i].changes)
            names[n++] = viommu_machine_properties[i].name;
    names[n] = NULL;
    bus->telling = true;
    check_sent(machine,
               sd_bus_emit_properties_changed_strv(bus->bus, path, VIOMMU_IFACE_MACHINE, (char **)names));
    bus->telling = false;
}

static void on_removed(const ViommuMachine *machine, void *userdata)
{
    ViommuBus *bus = userdata;
    g_autofree char *path = viommu_bus_machine_path(machine);
    sd_bus_message *signal = NULL;
    int r;

    viommu_bus_listing_removed(bus->listing, machine, path);
    if (!machine->shown) {
        r = new_removed(bus, path, &signal);
        send_signal(bus, machine, signal, r);
        return;
    }
    bus->telling = true;
    check_sent(machine, sd_bus_emit_object_removed(bus->bus, path));
    bus->telling = false;
}

static const ViommuRegistryWatcher watcher = {
    .added = on_added, .bound = on_bound, .changed = on_changed, .removed = on_removed};

void viommu_bus_watch_machines(ViommuBus *bus)
{
    viommu_registry_watch(viommu_manager_registry(bus->manager), &watcher, bus);
}
