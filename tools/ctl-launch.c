/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* viommuctl launch: a request file to a machine's name. */
#include "lib/names.h"
#include "lib/request.h"
#include "tools/ctl-machine.h"
#include "tools/request-file.h"

/* The file's keys, with those that the command line gives in place of its own. */
static GVariant *read_request(const ViommuCtl *ctl, GError **error)
{
    g_autoptr(GVariant) file = viommu_request_file_read(ctl->words[0], error);
    GVariantDict request;

    if (!file)
        return NULL;
    g_variant_dict_init(&request, file);
    if (ctl->wait)
        g_variant_dict_insert(&request, "wait", "s", ctl->wait);
    if (ctl->name)
        g_variant_dict_insert(&request, "name", "s", ctl->name);
    if (ctl->request_id)
        g_variant_dict_insert(&request, "request-id", "s", ctl->request_id);
    return g_variant_ref_sink(g_variant_dict_end(&request));
}

/* On a terminal the answer is a summary; in a pipe it is the name alone. */
static void summarize(const ViommuCtl *ctl, GVariant *properties)
{
    const ViommuOutput *output = &ctl->output;
    const char *name = "", *state = "", *model = "", *result = "";
    g_autofree const char **reasons = NULL;
    g_autofree const char **warnings = NULL;

    g_variant_lookup(properties, "Name", "&s", &name);
    if (!output->terminal) {
        viommu_output_format(output, "%s\n", name);
        return;
    }
    g_variant_lookup(properties, "State", "&s", &state);
    g_variant_lookup(properties, "Result", "&s", &result);
    g_variant_lookup(properties, "IommuModel", "&s", &model);
    g_variant_lookup(properties, "Reasons", "^a&s", &reasons);
    g_variant_lookup(properties, "Warnings", "^a&s", &warnings);
    viommu_output_text(output, VIOMMU_STYLE_HEAD, name);
    viommu_output_format(output, "\n  state: %s\n  IOMMU: %s\n", state, *model ? model : "none");
    for (const char **reason = reasons; reason && *reason; reason++)
        viommu_output_format(output, "    %s\n", *reason);
    for (const char **warning = warnings; warning && *warning; warning++)
        viommu_output_warning(output, *warning);
}

bool viommu_ctl_launch(ViommuCtl *ctl, GError **error)
{
    g_autoptr(GVariant) tree = read_request(ctl, error);
    /* Also here, so that a wrong key is refused without a daemon, and a null, which the bus cannot carry, by name. */
    g_autoptr(ViommuRequest) request = tree ? viommu_request_parse(tree, error) : NULL;
    g_autoptr(ViommuClient) client = request ? viommu_ctl_connect(ctl, error) : NULL;
    ViommuCtlProgress progress = {.output = &ctl->output, .what = "launching"};
    ViommuClientCall call = {.path = VIOMMU_BUS_PATH,
                             .interface = VIOMMU_IFACE_MANAGER,
                             .method = "Launch",
                             .timeout_usec = VIOMMU_CTL_PATIENCE_USEC,
                             .tick = viommu_ctl_progress,
                             .userdata = &progress};
    g_autoptr(GVariant) path = NULL;
    g_autoptr(GVariant) properties = NULL;

    if (!client)
        return false;
    call.arguments = g_variant_new("(@a{sv})", tree);
    if (!viommu_client_call(client, &call, &path, &ctl->reasons, error))
        return false;
    viommu_output_progress_end(&ctl->output);
    properties = viommu_ctl_machine_properties(ctl, client, g_variant_get_string(path, NULL), error);
    if (!properties)
        return false;
    if (ctl->output.json)
        viommu_output_json(g_variant_ref(properties));
    else
        summarize(ctl, properties);
    return true;
}
