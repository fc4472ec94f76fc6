/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl attach, detach: devices of a machine that runs. */
#include "tools/ctl/files.h"
#include "tools/ctl/machine.h"
#include "tools/ctl/progress.h"
#include "tools/ctl/request.h"

#include "lib/base/error.h"
#include "lib/base/names.h"
#include "lib/domain/plug.h"
#include "tools/client/polkit-agent.h"

/* The machine that a device is for, as the whole command line has it. */
typedef struct Target {
    ViommuCtl *ctl;
    GVariant *id; /* of the device, when it is attached */
} Target;

/* Opens the files if the other side takes them. */
static GVariant *open_files(ViommuClient *client, GVariant *device, GArray **ret_fds, GError **error)
{
    g_autoptr(GVariant) absolute = viommu_ctl_files_absolute(device);

    if (!absolute || !viommu_client_takes_files(client))
        return g_steal_pointer(&absolute);
    return viommu_ctl_files_open(absolute, ret_fds, error);
}

static bool attach(ViommuCtl *unused, GVariant *device, void *data, GError **error)
{
    Target *target = data;
    ViommuCtl *ctl = target->ctl;
    ViommuAttachedKind kind;
    g_autoptr(ViommuClient) client =
        viommu_plug_check_tree(device, &kind, error) ? viommu_ctl_connect(ctl, error) : NULL;
    g_autofree char *path = client ? viommu_ctl_find_machine(ctl, client, error) : NULL;
    g_autoptr(GArray) fds = NULL;
    g_autoptr(GVariant) tree = path ? open_files(client, device, &fds, error) : NULL;
    /* polkit may ask about a device that the site does not list. */
    g_autoptr(ViommuAgent) agent =
        tree && kind == VIOMMU_ATTACHED_HOSTDEV && viommu_ctl_may_be_asked(ctl, client) ? viommu_agent_start()
                                                                                        : NULL;
    g_auto(ViommuCtlProgress) progress = {.output = &ctl->output, .what = "attaching the device"};
    ViommuClientCall call = {.path = path,
                             .interface = VIOMMU_IFACE_MACHINE,
                             .method = "AttachDevice",
                             .timeout_usec = VIOMMU_CTL_TIMEOUT_USEC,
                             .tick = agent ? NULL : viommu_ctl_progress,
                             .userdata = &progress};

    if (!tree)
        return false;
    call.arguments = g_variant_new("(@a{sv})", tree);
    return viommu_client_call(client, &call, &target->id, &ctl->reasons, error);
}

bool viommu_ctl_attach(ViommuCtl *ctl, GError **error)
{
    ViommuCtl rest = *ctl;
    Target target = {ctl, NULL};
    g_autoptr(GVariant) id = NULL;

    rest.words++;
    rest.n_words--;
    if (!viommu_ctl_request_try(&rest, attach, &target, NULL, error))
        return false;
    id = target.id;
    if (ctl->output.json)
        viommu_output_json(g_variant_new_parsed("{'id': %v}", id));
    else
        viommu_output_format(&ctl->output, "%s\n", g_variant_get_string(id, NULL));
    return true;
}

bool viommu_ctl_detach(ViommuCtl *ctl, GError **error)
{
    const ViommuClientCall call = {.method = "DetachDevice",
                                   .arguments = g_variant_new("(s)", ctl->words[1]),
                                   .timeout_usec = VIOMMU_CTL_TIMEOUT_USEC};

    return viommu_ctl_call_machine(ctl, call, "waiting for the guest to give the device back", NULL, error);
}
