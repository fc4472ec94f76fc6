/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manager-object: the interface org.viommu1.Manager.  Reads, calls the manager, replies; auth has
 * allowed the call before.  Reads are answered from known data, without asking libvirt. */
#include "daemon/bus/bus.h"

#include <unistd.h>
#include "daemon/bus/errors.h"
#include "daemon/bus/listing.h"
#include "daemon/bus/variant.h"
#include "daemon/machines/journal-events.h"
#include "lib/base/error.h"
#include "lib/base/names.h"

/* --- Methods --- */

static ViommuRequest *read_request(sd_bus_message *call, bool host_only, GError **error)
{
    g_autoptr(GVariant) tree = NULL;
    g_autoptr(GArray) fds = NULL;
    ViommuRequest *request = NULL;

    if (viommu_bus_variant_read_files(call, host_only, &tree, &fds, error))
        request = viommu_request_parse(tree, error);
    if (request)
        request->fds = g_steal_pointer(&fds);
    return request;
}

static int fill_machine(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    g_autofree char *path = viommu_bus_machine_path(outcome->machine);

    return sd_bus_message_append(reply, "o", path);
}

static int fill_model(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    const char *model = viommu_model_to_string(outcome->model);

    return sd_bus_message_append(reply, "s", model ? model : "");
}

static int refuse_launch(ViommuBus *bus, sd_bus_message *call, uint32_t uid, const GError *error)
{
    viommu_auth_forget_devices(bus->auth, call);
    viommu_journal_not_launched(&(ViommuJournalSubject){.owner_uid = &uid}, error, NULL);
    return viommu_bus_reply_error(call, error, NULL);
}

static int launch(ViommuBus *bus, sd_bus_message *call, ViommuRequest *taken, const ViommuAsker *asker)
{
    g_autoptr(ViommuRequest) request = taken;
    g_autofree char *client = viommu_bus_clients_sender(bus->clients, call);
    ViommuWaiter waiter;

    if (!viommu_bus_reply_later(bus, call, fill_machine, &waiter))
        return 1;
    viommu_manager_launch(bus->manager, g_steal_pointer(&request), asker, client, &waiter);
    return 1;
}

/* A repeated request is about the existing machine. */
static bool is_known(ViommuBus *bus, const ViommuRequest *request, uint32_t uid)
{
    return request->request_id &&
           viommu_registry_by_request(viommu_manager_registry(bus->manager), uid, request->request_id);
}

/* Nothing changes until polkit has answered; then this is called again. */
static int judge_launch(ViommuBus *bus, sd_bus_message *call, ViommuAsker *asker)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(ViommuRequest) request = read_request(call, bus->is_system, &error);
    const ViommuAuthLaunch asked = {
        .request = request,
        .host = viommu_hostinfo_host(viommu_manager_hostinfo(bus->manager)),
        .site = viommu_manager_config(bus->manager)->policy.site,
    };

    if (!request)
        return refuse_launch(bus, call, asker->uid, error);
    if (is_known(bus, request, asker->uid)) {
        viommu_auth_forget_devices(bus->auth, call);
        return launch(bus, call, g_steal_pointer(&request), asker);
    }
    switch (viommu_auth_ask_devices(bus->auth, call, &asked, asker, &error)) {
    case VIOMMU_AUTH_YES:
        return launch(bus, call, g_steal_pointer(&request), asker);
    case VIOMMU_AUTH_LATER:
        return 1;
    case VIOMMU_AUTH_NO:
    case VIOMMU_AUTH_LAST:
        break;
    }
    return refuse_launch(bus, call, asker->uid, error);
}

static int method_launch(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GError) error = NULL;
    ViommuAsker asker;
    int r;

    if (!viommu_auth_asker(bus->auth, call, &asker, &error))
        return viommu_bus_reply_error(call, error, NULL);
    r = judge_launch(bus, call, &asker);
    viommu_auth_asker_clear(&asker);
    return r;
}

static int dry_run(sd_bus_message *call, ViommuBus *bus, bool brief)
{
    g_autoptr(GError) error = NULL;
    ViommuEnquiry enquiry = {.brief = brief};
    ViommuWaiter waiter;

    if (viommu_auth_asker(bus->auth, call, &enquiry.asker, &error))
        enquiry.request = read_request(call, bus->is_system, &error);
    if (!enquiry.request)
        return viommu_bus_reply_error(call, error, NULL);
    if (!viommu_bus_reply_later(bus, call, brief ? fill_model : viommu_bus_fill_report, &waiter)) {
        viommu_request_free(enquiry.request);
        return 1;
    }
    viommu_manager_plan(bus->manager, &enquiry, &waiter);
    return 1;
}

static int method_plan(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return dry_run(call, userdata, false);
}

static int method_check(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return dry_run(call, userdata, true);
}

static int method_get_machine(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GError) error = NULL;
    const ViommuMachine *machine;
    const char *name;
    int r = sd_bus_message_read(call, "s", &name);

    if (r < 0)
        return r;
    machine = viommu_registry_find(viommu_manager_registry(bus->manager), name);
    if (machine && viommu_bus_shows(bus, call, machine)) {
        g_autofree char *path = viommu_bus_machine_path(machine);
        return sd_bus_reply_method_return(call, "o", path);
    }
    viommu_fail(&error, VIOMMU_ERROR_NOT_FOUND,
                "there is no machine '%.64s'; \"viommuctl list\" shows the machines", name);
    return viommu_bus_reply_error(call, error, NULL);
}

static int method_list_machines(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    return viommu_bus_list(userdata, call, VIOMMU_BUS_LIST_MACHINES);
}

static int method_get_usage(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GError) error = NULL;
    ViommuWaiter waiter;
    uint32_t uid;

    if (!viommu_auth_uid(bus->auth, call, &uid, &error))
        return viommu_bus_reply_error(call, error, NULL);
    if (viommu_bus_reply_by_slices(bus, call, viommu_bus_list_usage, &waiter))
        viommu_manager_read_usage(bus->manager, viommu_auth_is_trusted(bus->auth, uid) ? NULL : &uid,
                                  &waiter);
    return 1;
}

static int method_open_console_log(sd_bus_message *call, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GError) error = NULL;
    const char *name;
    uint32_t uid;
    int fd = -1, r = sd_bus_message_read(call, "s", &name);

    if (r < 0)
        return r;
    if (!viommu_auth_uid(bus->auth, call, &uid, &error) ||
        !viommu_manager_open_console_log(bus->manager, name,
                                         viommu_auth_is_trusted(bus->auth, uid) ? NULL : &uid, &fd, &error))
        return viommu_bus_reply_error(call, error, NULL);
    r = sd_bus_reply_method_return(call, "h", fd);
    close(fd);
    return r;
}

/* --- Properties --- */

static int get_version(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                       sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    return sd_bus_message_append(reply, "s", VIOMMU_VERSION);
}

static int get_libvirt_version(sd_bus *unused_bus, const char *path, const char *interface,
                               const char *property, sd_bus_message *reply, void *userdata,
                               sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    const ViommuHost *host = viommu_hostinfo_host(viommu_manager_hostinfo(bus->manager));
    g_autofree char *version = viommu_version_format(host ? host->libvirt : 0);

    return sd_bus_message_append(reply, "s", host ? version : "");
}

static int append_qemu_version(sd_bus_message *reply, const ViommuEmulator *emulator)
{
    g_autofree char *version = viommu_version_format(emulator->qemu);

    if (emulator->arch == VIOMMU_UNSET)
        return 0;
    return sd_bus_message_append(reply, "{ss}", viommu_arch_to_string((ViommuArch)emulator->arch), version);
}

static int get_qemu_versions(sd_bus *unused_bus, const char *path, const char *interface,
                             const char *property, sd_bus_message *reply, void *userdata,
                             sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    const ViommuHost *host = viommu_hostinfo_host(viommu_manager_hostinfo(bus->manager));
    int r = sd_bus_message_open_container(reply, SD_BUS_TYPE_ARRAY, "{ss}");

    for (guint i = 0; r >= 0 && host && i < host->emulators->len; i++)
        r = append_qemu_version(reply, g_ptr_array_index(host->emulators, i));
    return r < 0 ? r : sd_bus_message_close_container(reply);
}

static int get_models(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;

    return sd_bus_message_append_strv(reply, viommu_hostinfo_models(viommu_manager_hostinfo(bus->manager)));
}

static int get_traits(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;

    return sd_bus_message_append_strv(reply, viommu_hostinfo_traits(viommu_manager_hostinfo(bus->manager)));
}

static int get_host_iommu(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    const ViommuHost *host = viommu_hostinfo_host(viommu_manager_hostinfo(bus->manager));

    return sd_bus_message_append(reply, "b", host && host->has_iommu == 1);
}

static int get_connection(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;

    return sd_bus_message_append(reply, "s", viommu_manager_uri(bus->manager));
}

static int get_connected(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                         sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;

    return sd_bus_message_append(reply, "b", (int)viommu_manager_is_connected(bus->manager));
}

static int get_host_facts(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                          sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    const ViommuHost *host = viommu_hostinfo_host(viommu_manager_hostinfo(bus->manager));
    g_autoptr(GVariant) facts = host ? g_variant_ref_sink(viommu_host_software_to_variant(host)) : NULL;

    return facts ? viommu_bus_variant_append(reply, facts) : sd_bus_message_append(reply, "a{sv}", 0);
}

static int get_facts_class(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                           sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;

    return sd_bus_message_append(reply, "s", viommu_hostinfo_class(viommu_manager_hostinfo(bus->manager)));
}

static int get_used(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                    sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GVariant) used = g_variant_ref_sink(viommu_manager_used(bus->manager));

    return viommu_bus_variant_append(reply, used);
}

static int get_limits(sd_bus *unused_bus, const char *path, const char *interface, const char *property,
                      sd_bus_message *reply, void *userdata, sd_bus_error *unused)
{
    ViommuBus *bus = userdata;
    g_autoptr(GVariant) limits =
        g_variant_ref_sink(viommu_config_limits(viommu_manager_config(bus->manager)));

    return viommu_bus_variant_append(reply, limits);
}

/* Open for sd-bus, which knows privileged callers and others only: auth decides. */
#define OPEN    SD_BUS_VTABLE_UNPRIVILEGED
#define CHANGES SD_BUS_VTABLE_PROPERTY_EMITS_CHANGE

static const sd_bus_vtable manager_vtable[] = {
    SD_BUS_VTABLE_START(0),
    SD_BUS_METHOD_WITH_ARGS("Launch", SD_BUS_ARGS("a{sv}", request), SD_BUS_RESULT("o", machine),
                            method_launch, OPEN),
    SD_BUS_METHOD_WITH_ARGS("Plan", SD_BUS_ARGS("a{sv}", request), SD_BUS_RESULT("a{sv}", plan), method_plan,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("Check", SD_BUS_ARGS("a{sv}", request), SD_BUS_RESULT("s", model), method_check,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("GetMachine", SD_BUS_ARGS("s", name), SD_BUS_RESULT("o", machine),
                            method_get_machine, OPEN),
    SD_BUS_METHOD_WITH_ARGS("ListMachines", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(ssso)", machines),
                            method_list_machines, OPEN),
    SD_BUS_METHOD_WITH_ARGS("GetUsage", SD_BUS_NO_ARGS, SD_BUS_RESULT("a(sttt)", usage), method_get_usage,
                            OPEN),
    SD_BUS_METHOD_WITH_ARGS("OpenConsoleLog", SD_BUS_ARGS("s", name), SD_BUS_RESULT("h", log),
                            method_open_console_log, OPEN),
    SD_BUS_PROPERTY("Version", "s", get_version, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Connection", "s", get_connection, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Connected", "b", get_connected, 0, CHANGES),
    SD_BUS_PROPERTY("LibvirtVersion", "s", get_libvirt_version, 0, CHANGES),
    SD_BUS_PROPERTY("QemuVersions", "a{ss}", get_qemu_versions, 0, CHANGES),
    SD_BUS_PROPERTY("IommuModels", "as", get_models, 0, CHANGES),
    SD_BUS_PROPERTY("Traits", "as", get_traits, 0, CHANGES),
    SD_BUS_PROPERTY("HostIommu", "b", get_host_iommu, 0, CHANGES),
    SD_BUS_PROPERTY("HostFacts", "a{sv}", get_host_facts, 0, CHANGES),
    SD_BUS_PROPERTY("FactsClass", "s", get_facts_class, 0, CHANGES),
    SD_BUS_PROPERTY("Limits", "a{sv}", get_limits, 0, SD_BUS_VTABLE_PROPERTY_CONST),
    SD_BUS_PROPERTY("Used", "a{sv}", get_used, 0, 0),
    SD_BUS_VTABLE_END,
};

/* --- Signals --- */

static void on_host_changed(const ViommuOutcome *unused, void *userdata)
{
    ViommuBus *bus = userdata;

    (void)sd_bus_emit_properties_changed(bus->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "LibvirtVersion",
                                         "QemuVersions", "IommuModels", "Traits", "HostIommu", "HostFacts",
                                         "FactsClass", NULL);
}

static void on_connection_changed(void *userdata)
{
    ViommuBus *bus = userdata;

    (void)sd_bus_emit_properties_changed(bus->bus, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, "Connected", NULL);
}

int viommu_bus_add_manager(ViommuBus *bus)
{
    viommu_hostinfo_watch(viommu_manager_hostinfo(bus->manager), on_host_changed, bus);
    viommu_manager_watch_connection(bus->manager, on_connection_changed, bus);
    return sd_bus_add_object_vtable(bus->bus, NULL, VIOMMU_BUS_PATH, VIOMMU_IFACE_MANAGER, manager_vtable,
                                    bus);
}
