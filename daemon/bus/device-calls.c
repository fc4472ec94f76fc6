/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device-calls: the methods AttachDevice and DetachDevice of org.viommu1.Machine.  Reads, calls the
 * manager, replies; auth has allowed the call before. */
#include "daemon/bus/bus.h"

#include "daemon/bus/errors.h"
#include "daemon/bus/variant.h"
#include "lib/base/error.h"
#include "lib/domain/plug.h"

static int fill_id(sd_bus_message *reply, const ViommuOutcome *outcome)
{
    return sd_bus_message_append(reply, "s", outcome->id);
}

/* What a call asks for. */
typedef struct Asked {
    GVariant *tree;
    GArray *fds;
    ViommuAsker asker;
} Asked;

static void asked_clear(Asked *asked)
{
    g_clear_pointer(&asked->tree, g_variant_unref);
    g_clear_pointer(&asked->fds, g_array_unref);
    viommu_auth_asker_clear(&asked->asker);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Asked, asked_clear)

/* For polkit. */
static GVariant *with_name(GVariant *tree, const char *name)
{
    GVariantDict dict;

    g_variant_dict_init(&dict, tree);
    g_variant_dict_insert(&dict, "name", "s", name);
    return g_variant_ref_sink(g_variant_dict_end(&dict));
}

/* polkit is asked about a device of the host that the site does not list, as for a launch; with its
 * answer the call comes again. */
static ViommuAuthAnswer ask_polkit(ViommuBus *bus, sd_bus_message *call, const ViommuMachine *machine,
                                   Asked *asked, GError **error)
{
    g_autoptr(GVariant) named = with_name(asked->tree, machine->name);
    g_autoptr(ViommuRequest) request = viommu_request_parse(named, error);
    const ViommuAuthLaunch launch = {
        .request = request,
        .host = viommu_hostinfo_host(viommu_manager_hostinfo(bus->manager)),
        .site = viommu_manager_config(bus->manager)->policy.site,
    };

    return request ? viommu_auth_ask_devices(bus->auth, call, &launch, &asked->asker, error) : VIOMMU_AUTH_NO;
}

static ViommuAuthAnswer judge(ViommuBus *bus, sd_bus_message *call, const ViommuMachine *machine,
                              Asked *asked, GError **error)
{
    ViommuAttachedKind kind;

    if (!viommu_auth_asker(bus->auth, call, &asked->asker, error) ||
        !viommu_bus_variant_read_files(call, bus->is_system, &asked->tree, &asked->fds, error) ||
        !viommu_plug_check_tree(asked->tree, &kind, error))
        return VIOMMU_AUTH_NO;
    return kind == VIOMMU_ATTACHED_HOSTDEV ? ask_polkit(bus, call, machine, asked, error) : VIOMMU_AUTH_YES;
}

int viommu_bus_attach_device(ViommuBus *bus, sd_bus_message *call, ViommuMachine *machine)
{
    g_autoptr(GError) error = NULL;
    g_auto(Asked) asked = {0};
    ViommuAuthAnswer answer = judge(bus, call, machine, &asked, &error);
    ViommuWaiter waiter;

    if (answer == VIOMMU_AUTH_LATER)
        return 1;
    if (answer != VIOMMU_AUTH_YES) {
        viommu_auth_forget_devices(bus->auth, call);
        return viommu_bus_reply_error(call, error, NULL);
    }
    if (viommu_bus_reply_later(bus, call, fill_id, &waiter)) {
        const ViommuAttachOrder order = {asked.tree, g_steal_pointer(&asked.fds), asked.asker};

        viommu_manager_attach(bus->manager, machine, &order, &waiter);
    }
    return 1;
}

int viommu_bus_detach_device(ViommuBus *bus, sd_bus_message *call, ViommuMachine *machine)
{
    ViommuWaiter waiter;
    const char *id;
    int r = sd_bus_message_read(call, "s", &id);

    if (r < 0)
        return r;
    if (viommu_bus_reply_later(bus, call, viommu_bus_fill_nothing, &waiter))
        viommu_manager_detach(bus->manager, machine, id, &waiter);
    return 1;
}
